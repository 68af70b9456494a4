//! docs/customise.md, followed line by line: its files are put into a folder and compiled like those of `BRANDING`, its parameters are read.

#[path = "../../../shared/build/branding.rs"]
mod branding;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use doorward::{
    brand::Product,
    config::Settings,
    language::Language,
    mail::{LinkUrls, ResetMail},
    page::{Page, Pages},
};

const PAGE: &str = include_str!("../../../docs/customise.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The PNG file of one transparent pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40\x08\x06\0\0\0";

/// A folder of one's own, which ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("doorward-branding-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// The code that is compiled, by the names of its files, or what is wrong.
    fn compiled(&self) -> Result<BTreeMap<&'static str, String>, Vec<String>> {
        branding::generate(Path::new(ROOT), self.0.to_str()).map(BTreeMap::from)
    }

    fn wrong(&self) -> String {
        self.compiled().map(drop).expect_err("something is wrong").join("\n")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The files of the page: the name in the heading of a block, below the folder, and the block.
fn files() -> Vec<(&'static str, &'static str)> {
    let blocks = PAGE.split("\n```").skip(1).step_by(2);
    let named = blocks.filter_map(|block| {
        let (heading, content) = block.split_once('\n')?;
        Some((heading.split_once(" ../acme/")?.1, content))
    });
    named.collect()
}

fn file(name: &str) -> &'static str {
    files().into_iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("the page has no {name}")).1
}

fn texts(tag: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("{ROOT}/templates/language/{tag}.json")).expect("a language of ours");
    serde_json::from_str(&text).expect("texts")
}

fn json(texts: &BTreeMap<String, String>) -> String {
    serde_json::to_string(texts).expect("texts")
}

/// The parameters of the page's commands, as the functions' variables.
fn variables() -> Vec<(String, String)> {
    let commands = PAGE.lines().filter_map(|line| line.strip_prefix("    make up PARAMS=\"")?.strip_suffix('"'));
    let mut found = Vec::new();
    for command in commands {
        let mut rest = command;
        while let Some((name, value)) = rest.split_once('=') {
            let (value, after) = match value.strip_prefix('\'') {
                Some(quoted) => quoted.split_once('\'').expect("an end"),
                None => value.split_once(' ').map_or((value, ""), |(value, after)| (value, after)),
            };
            let variable = name.trim().chars().fold(String::new(), |made, char| {
                if char.is_uppercase() && !made.is_empty() {
                    format!("{made}_{char}")
                } else {
                    format!("{made}{}", char.to_ascii_uppercase())
                }
            });
            found.push((variable, value.to_owned()));
            rest = after;
        }
    }
    found
}

#[test]
fn the_page_s_parameters_are_seen_in_mails_and_pages() {
    let mut settings = Settings::from_pairs(variables().into_iter().chain([("LINK_BASE".to_owned(), "https://a.example.com".to_owned())]));
    let (product, language) = (Product::configured(&mut settings), Language::configured(&mut settings));
    LinkUrls::configured(&mut settings);
    settings.finish().expect("what the page says is right");
    assert_eq!(language.tag(), "fr");
    let (_, mail) = ResetMail::samples(language).swap_remove(0);
    let mail = ResetMail { product: product.clone(), ..mail }.render().expect("a mail");
    assert!(mail.subject.contains("Acme Cloud") && mail.html.contains("bgcolor=\"#7f1d1d\""));
    let mut done = String::new();
    let reader = doorward::http::Reader { language, path: "/api/password_reset/confirm/".to_owned() };
    Page::samples(|name, page| {
        if name == "done" {
            done = String::from_utf8(Pages::of(product.clone()).show(&reader, page).expect("a page").body).expect("text");
        }
    });
    assert!(done.contains("<a class=\"button\" href=\"https://app.acme.example/login\">Se connecter</a>"), "{done}");
    for link in ["https://acme.example/", "mailto:help@acme.example", "https://acme.example/imprint", "https://acme.example/privacy"] {
        assert!(done.contains(&format!("<li><a href=\"{link}\">")), "{link}");
    }
}

#[test]
fn the_page_s_texts_and_templates_replace_ours() {
    let name = "language/en.json";
    let compiled = Folder::new().with(name, file(name)).compiled().expect("what the page says is right");
    assert!(compiled["languages.rs"].contains("\\nmail.reset.subject\\tYour new password for {product}\\n"));
    assert!(compiled["languages.rs"].contains("\\nmail.reset.title\\tChoose a new password\\n"), "the others stay");

    let every: String = file("language/*.json").to_owned();
    let mut folder = Folder::new().with("email/footer.txt.j2", file("email/footer.txt.j2"));
    for tag in ["ar", "de", "en", "es", "fr", "ja"] {
        folder = folder.with(&format!("language/{tag}.json"), &every);
    }
    let compiled = folder.compiled().expect("what the page says is right");
    assert!(compiled["templates.rs"].contains(&folder.0.join("email/footer.txt.j2").canonicalize().expect("a path").display().to_string()));
    assert!(compiled["templates.rs"].contains("templates/email/layout.html.j2"), "the others stay");
    fs::remove_file(folder.0.join("language/ja.json")).expect("a file");
    assert_eq!(folder.wrong(), "language/ja.json: own.motto is missing");
}

#[test]
fn a_language_is_one_file_and_the_build_says_what_it_lacks() {
    let about: BTreeMap<String, String> = serde_json::from_str(file("language/pt.json")).expect("texts");
    let mut portuguese = texts("en");
    portuguese.extend(about);
    let compiled = Folder::new().with("language/pt.json", json(&portuguese)).compiled().expect("a whole language");
    assert!(compiled["languages.rs"].contains("Texts { tag: \"pt\", direction: \"ltr\", forms: &[\"one\", \"other\"]"));
    portuguese.remove("mail.reset.title");
    portuguese.remove("minutes.one");
    let lacks = Folder::new().with("language/pt.json", json(&portuguese)).wrong();
    assert_eq!(lacks, "language/pt.json: mail.reset.title is missing\nlanguage/pt.json: minutes.one is missing");

    // Polish distinguishes few and many, and right to left is a word of the file.
    let mut polish = texts("en");
    assert!(Folder::new().with("language/pl.json", json(&polish)).wrong().contains("language/pl.json: days.few is missing"));
    for noun in ["characters", "days", "hours", "minutes", "times"] {
        for form in ["few", "many"] {
            polish.insert(format!("{noun}.{form}"), "{count} x".to_owned());
        }
        polish.remove(&format!("{noun}.other"));
    }
    polish.insert("language.direction".to_owned(), "rtl".to_owned());
    let compiled = Folder::new().with("language/pl.json", json(&polish)).compiled().expect("a whole language");
    assert!(compiled["languages.rs"].contains("Texts { tag: \"pl\", direction: \"rtl\", forms: &[\"one\", \"few\", \"many\"]"));
}

#[test]
fn every_mistake_is_said_when_it_is_built() {
    let english = |text: &str| Folder::new().with("language/en.json", text).wrong();
    assert_eq!(
        english(r#"{"mail.reset.sujet": "x"}"#),
        "language/en.json: mail.reset.sujet is no text that is said anywhere; did you mean mail.reset.subject?"
    );
    assert!(PAGE.contains(&english(r#"{"mail.reset.sujet": "x"}"#)), "the page shows it");
    assert_eq!(
        english(r#"{"mail.reset.intro": "Dear {name}"}"#),
        "language/en.json: mail.reset.intro has {name}, which is not among its values: product"
    );
    assert_eq!(english(r#"{"mail.reset.intro": " "}"#), "language/en.json: mail.reset.intro is empty, or begins or ends with a space");
    assert_eq!(english(r#"{"mail.reset.intro": "One\nTwo"}"#), "language/en.json: mail.reset.intro has a line break or a tab");
    assert_eq!(english(r#"{"language.direction": "up"}"#), "language/en.json: language.direction must be ltr or rtl");
    assert!(english("{").contains("not an object of texts"));
    let tag = Folder::new().with("language/portuguese!.json", json(&texts("en"))).wrong();
    assert_eq!(tag, "language/portuguese!.json: its name is no language tag such as fr or pt-BR");

    let template = |name: &str, text: &str| Folder::new().with(name, text).wrong();
    assert_eq!(
        template("email/pasword_reset/body.txt.j2", ""),
        "BRANDING: email/pasword_reset/body.txt.j2 is no file of templates/, so nothing would use it; did you mean email/password_reset/body.txt.j2?"
    );
    assert!(template("email/footer.txt.j2", "{% if %}").starts_with("email/footer.txt.j2: syntax error"));
    assert_eq!(
        template("email/password_reset/body.txt.j2", "{{ lnik }}"),
        "email/password_reset/body.txt.j2: there is no value lnik; did you mean link?"
    );
    assert_eq!(template("page/ask.html.j2", "{{ say(\"own.x\") }}"), "page/ask.html.j2: no language has a text own.x");
    assert!(branding::generate(Path::new(ROOT), Some("/nowhere")).expect_err("no folder")[0].starts_with("BRANDING=/nowhere: /nowhere: "));
    Folder::new()
        .with("README.md", "notes")
        .with("email/footer.txt.j2~", "")
        .with(".DS_Store", "")
        .compiled()
        .expect("these are not looked at");
}

#[test]
fn a_logo_is_a_picture_of_a_fitting_size_and_a_drawing_without_scripts() {
    let with = |svg: &str| Folder::new().with("logo.png", PIXEL).with("logo.svg", svg);
    let code = with("<svg xmlns=\"http://www.w3.org/2000/svg\"/>").compiled().expect("a logo")["logo.rs"].clone();
    assert!(code.contains("width: 64, height: 64") && code.contains("svg: Some(include_bytes!("), "{code}");
    assert!(Folder::new().with("logo.png", PIXEL).compiled().expect("a logo")["logo.rs"].contains("svg: None"));
    for svg in [
        "<svg><script>alert(1)</script></svg>",
        "<svg onload=\"alert(1)\"/>",
        "<svg\nOnLoad = \"alert(1)\"/>",
        "<!DOCTYPE svg><svg/>",
        "<svg><a href=\"https://evil.example\"/></svg>",
        "<svg><foreignObject/></svg>",
        "hello",
    ] {
        assert!(with(svg).wrong().starts_with("BRANDING: logo.svg "), "{svg}");
    }
    assert!(with(&format!("<svg>{}</svg>", " ".repeat(16 * 1024))).wrong().contains("16384 are the most"));
    assert!(Folder::new().with("logo.svg", "<svg/>").wrong().contains("mail programs show no SVG"));
    assert!(Folder::new().with("logo.png", "GIF89a").wrong().contains("is no PNG"));
    assert!(Folder::new().with("logo.png", [PIXEL, &[0; 48 * 1024]].concat()).wrong().contains("every mail carries it"));
    let mut wide = PIXEL.to_vec();
    wide[18] = 0x04;
    assert!(Folder::new().with("logo.png", wide).wrong().contains("too wide"));
}
