//! Writes every mail and page in every language under `target/preview`, as HTML and, where there is a chromium, as pictures:
//! 320 and 1280 pixels wide, light and dark. `cargo run -p doorward-preview [--no-pictures] [NAME …]`; a name picks what contains it.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use doorward::{
    brand::Product,
    config::Settings,
    http::Reader,
    language::Language,
    mail::{ChangedMail, ResetMail},
    page::{Page, Pages},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A picture's name, width and colour scheme.
const PICTURES: [(&str, u32, bool); 4] =
    [("320-light", 320, false), ("320-dark", 320, true), ("1280-light", 1280, false), ("1280-dark", 1280, true)];

/// Something to look at.
struct Piece {
    name: String,
    title: String,
    html: String,
    text: Option<String>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (options, wanted): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    let with_pictures = !options.iter().any(|option| *option == "--no-pictures");
    let place = PathBuf::from("target/preview");
    fs::create_dir_all(&place)?;

    let mut settings = Settings::from_environment();
    let product = Product::configured(&mut settings);
    settings.finish()?;
    let pieces: Vec<Piece> = Language::ALL.into_iter().map(|language| pieces(language, &product)).collect::<Result<Vec<_>>>()?.concat_all();

    for piece in &pieces {
        fs::write(place.join(format!("{}.html", piece.name)), &piece.html)?;
        if let Some(text) = &piece.text {
            fs::write(place.join(format!("{}.txt", piece.name)), text)?;
        }
    }
    let picked: Vec<&Piece> =
        pieces.iter().filter(|piece| wanted.is_empty() || wanted.iter().any(|name| piece.name.contains(*name))).collect();
    if with_pictures && !take_pictures(&place, &picked)? {
        println!("No chromium here: HTML only. On Debian: apt-get install chromium");
    }
    fs::write(place.join("index.html"), index(&place, &pieces))?;
    println!("{}", place.join("index.html").display());
    Ok(())
}

trait Concat<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T> Concat<T> for Vec<Vec<T>> {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}

fn pieces(language: Language, product: &Product) -> Result<Vec<Piece>> {
    let tag = language.tag();
    let mut pieces = Vec::new();
    let usual = |mail_product: &Product| if *mail_product == Product::default() { product.clone() } else { mail_product.clone() };
    let mut mails = Vec::new();
    for (name, mail) in ResetMail::samples(language) {
        mails.push((format!("{tag}-mail-reset-{name}"), ResetMail { product: usual(&mail.product), ..mail }.render()?));
    }
    for (name, mail) in ChangedMail::samples(language) {
        mails.push((format!("{tag}-mail-changed-{name}"), ChangedMail { product: usual(&mail.product), ..mail }.render()?));
    }
    for (name, mail) in mails {
        pieces.push(Piece { name, title: mail.subject, html: mail.html, text: Some(mail.text) });
    }
    let pages = Pages::of(product.clone());
    let reader = Reader { language, path: "/api/password_reset/confirm/".to_owned() };
    let mut shown = Vec::new();
    Page::samples(|name, page| shown.push((name, pages.show(&reader, page))));
    for (name, answer) in shown {
        let html = String::from_utf8(answer?.body)?;
        pieces.push(Piece { name: format!("{tag}-page-{name}"), title: name.to_owned(), html, text: None });
    }
    Ok(pieces)
}

/// Whether pictures were taken.
fn take_pictures(place: &Path, pieces: &[&Piece]) -> Result<bool> {
    let program = env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    if Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Ok(false);
    }
    let root = fs::canonicalize(place)?;
    let profile = env::temp_dir().join(format!("doorward-preview-{}", std::process::id()));
    for piece in pieces {
        for (picture, width, dark) in PICTURES {
            // The browser's window has a least width, so the page stands in a frame of the wanted one; it is cut to what it shows.
            let frame = root.join("frame.html");
            let html = piece.html.replace('&', "&amp;").replace('"', "&quot;");
            let height = if piece.name.contains("-mail-") { if width < 500 { 1500 } else { 1050 } } else { 900 };
            let scheme = if dark { "dark" } else { "light" };
            fs::write(
                &frame,
                format!(
                    "<!doctype html><html style=\"color-scheme:{scheme}\"><body style=\"margin:0\"><iframe style=\"border:0;display:block;width:{width}px;height:{height}px;color-scheme:{scheme}\" srcdoc=\"{html}\"></iframe>"
                ),
            )?;
            let mut command = Command::new(&program);
            command
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    "--no-first-run",
                    "--hide-scrollbars",
                ])
                .arg(format!("--user-data-dir={}", profile.display()))
                .arg(format!("--blink-settings=preferredColorScheme={}", if dark { 0 } else { 1 }))
                .arg(format!("--window-size={width},{height}"))
                .arg(format!("--screenshot={}", root.join(format!("{}-{picture}.png", piece.name)).display()))
                .arg(format!("file://{}", frame.display()))
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if !command.status()?.success() {
                return Err(format!("{program} took no picture of {}", piece.name).into());
            }
        }
    }
    let _ = fs::remove_file(root.join("frame.html"));
    let _ = fs::remove_dir_all(profile);
    Ok(true)
}

fn index(place: &Path, pieces: &[Piece]) -> String {
    let mut page = "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Doorward: mails and pages</title>\
        <style>body{font:16px/1.5 system-ui;margin:2rem;background:#fff;color:#222}h2{margin:2rem 0 .5rem}img{border:1px solid #ccc;vertical-align:top;height:320px;margin:0 8px 8px 0}</style>\
        <h1>Mails and pages</h1>"
        .to_owned();
    for piece in pieces {
        let (name, title) = (&piece.name, piece.title.replace('<', "&lt;"));
        let _ = write!(page, "<h2><a href=\"{name}.html\">{name}</a></h2><p>{title}");
        if piece.text.is_some() {
            let _ = write!(page, " · <a href=\"{name}.txt\">text part</a>");
        }
        page.push_str("</p>");
        for (picture, ..) in PICTURES {
            let file = format!("{name}-{picture}.png");
            if place.join(&file).exists() {
                let _ = write!(page, "<a href=\"{file}\"><img src=\"{file}\" alt=\"{name}, {picture}\" loading=\"lazy\"></a>");
            }
        }
    }
    page
}
