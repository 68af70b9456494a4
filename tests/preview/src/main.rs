//! Writes every mail and page in every language under `target/preview`, as HTML and text. `make preview` adds pictures of them.
//! They have the name, colour and links of `PRODUCT_NAME`, `PRODUCT_COLOR`, `LOGIN_LINK` and so on.

use std::{error::Error, fmt::Write as _, fs, path::Path};

use doorward::{brand::Product, config::Settings, language::Language, samples};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The names of the pictures that `tests/browser/pictures.js` takes: a width in pixels and a colour scheme.
const PICTURES: [&str; 4] = ["320-light", "320-dark", "1280-light", "1280-dark"];

/// A mail or page.
struct Piece {
    name: String,
    title: String,
    html: String,
    text: Option<String>,
}

fn main() -> Result<()> {
    let mut settings = Settings::from_environment();
    let product = Product::configured(&mut settings);
    settings.finish()?;
    let place = Path::new("target/preview");
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;

    let mut index = String::from(include_str!("index.html"));
    for language in Language::all() {
        write!(index, "<h2 id=\"{0}\">{0}</h2>", language.tag())?;
        for piece in pieces(language, &product)? {
            fs::write(place.join(format!("{}.html", piece.name)), &piece.html)?;
            if let Some(text) = &piece.text {
                fs::write(place.join(format!("{}.txt", piece.name)), text)?;
            }
            index += &entry(&piece)?;
        }
    }
    fs::write(place.join("index.html"), index)?;
    Ok(())
}

fn pieces(language: Language, product: &Product) -> Result<Vec<Piece>> {
    let tag = language.tag();
    let mails = samples::mails(language, product).into_iter().map(|(name, mail)| {
        let mail = mail?;
        // Mail programs find the logo beside the mail. A browser finds it in the page.
        let html = mail.html.replace("cid:logo", &samples::logo_url(product));
        Ok(Piece { name: format!("{tag}-mail-{name}"), title: mail.subject, html, text: Some(mail.text) })
    });
    let pages = samples::pages(language, product)
        .into_iter()
        .map(|(name, page)| Ok(Piece { name: format!("{tag}-page-{name}"), title: String::new(), html: page?, text: None }));
    mails.chain(pages).collect()
}

fn entry(piece: &Piece) -> Result<String> {
    let name = &piece.name;
    let mut entry = format!("<h3><a href=\"{name}.html\">{name}</a></h3><p>{}", piece.title.replace('<', "&lt;"));
    if piece.text.is_some() {
        write!(entry, " · <a href=\"{name}.txt\">text part</a>")?;
    }
    entry += "</p><p>";
    for picture in PICTURES {
        write!(
            entry,
            "<a href=\"{name}-{picture}.png\"><img src=\"{name}-{picture}.png\" alt=\"{name}, {picture}\" loading=\"lazy\"></a>"
        )?;
    }
    Ok(entry + "</p>")
}
