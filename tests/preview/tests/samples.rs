//! Snapshots of every mail and page in the languages that come with Doorward, and rules for those of all languages.

use doorward::{
    brand::{Logo, Product},
    config::Settings,
    http::Reader,
    language::Language,
    mail::{Rendered, ResetMail},
    page::{Page, Pages},
    samples,
};

/// The languages of which there are snapshots. One that is added needs none.
const SHOWN: [&str; 6] = ["ar", "de", "en", "es", "fr", "ja"];

fn mails(language: Language) -> Vec<(String, Rendered)> {
    mails_of(language, &Product::default())
}

fn mails_of(language: Language, product: &Product) -> Vec<(String, Rendered)> {
    samples::mails(language, product).into_iter().map(|(name, mail)| (name, mail.expect("it can be rendered"))).collect()
}

fn pages(language: Language, product: &Product) -> Vec<(String, String)> {
    samples::pages(language, product).into_iter().map(|(name, page)| (name, page.expect("it can be rendered"))).collect()
}

fn shown() -> impl Iterator<Item = Language> {
    SHOWN.into_iter().map(|tag| Language::of_tag(tag).expect("a language of ours"))
}

/// A page without style and script, which are in files of their own.
fn without_style(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (_, body) = rest.split_once("</style>").expect("its end");
    format!("{head}{}", body.split("<script>").next().unwrap_or_default())
}

#[test]
fn every_mail_reads_as_it_should_in_every_language() {
    for language in shown() {
        for (name, mail) in mails(language) {
            insta::assert_snapshot!(format!("{}-{name}.txt", language.tag()), format!("Subject: {}\n\n{}", mail.subject, mail.text));
            insta::assert_snapshot!(format!("{}-{name}.html", language.tag()), mail.html);
        }
    }
}

#[test]
fn every_page_reads_as_it_should_in_every_language() {
    for language in shown() {
        for (name, page) in pages(language, &Product::default()) {
            insta::assert_snapshot!(format!("{}-page-{name}", language.tag()), without_style(&page));
        }
    }
}

#[test]
fn links_of_the_product_end_every_page_and_mail() {
    let product = samples::linked();
    let linked: Vec<(String, String)> = pages(Language::default(), &product)
        .into_iter()
        .filter(|(name, _)| ["ask", "done", "asked", "disavowed", "throttled"].contains(&name.as_str()))
        .map(|(name, page)| (name, without_style(&page).split_once("<main>").expect("a body").1.to_owned()))
        .collect();
    for (name, page) in &linked {
        insta::assert_snapshot!(format!("linked-page-{name}"), page);
    }
    for (name, mail) in mails_of(Language::default(), &product).into_iter().filter(|(name, _)| !name.ends_with("difficult")) {
        for path in ["help", "imprint", "privacy"] {
            let link = format!("https://app.example.com/{path}");
            assert!(mail.html.contains(&format!("href=\"{link}\"")) && mail.text.contains(&link), "{name}: {path}");
        }
    }
}

#[test]
fn every_page_ends_in_a_next_step() {
    for (language, product) in Language::all().flat_map(|language| [(language, Product::default()), (language, samples::linked())]) {
        for (name, page) in pages(language, &product) {
            let main = page.split_once("<main>").and_then(|(_, rest)| rest.split_once("</main>")).expect("a page").0;
            let closes = language.say("page.close", &[]).expect("a text");
            let is_next = main.contains("<a class=\"button\"") || main.contains("<button>") || main.contains("<p class=\"next\">");
            assert!(is_next || (product.links.login.is_none() && main.contains(&closes)), "{name} in {language:?} is a dead end");
        }
    }
}

#[test]
fn the_language_of_a_page_can_be_changed_on_it_and_its_token_stays() {
    let english = pages(Language::default(), &Product::default());
    let page = |wanted: &str| &english.iter().find(|(name, _)| name == wanted).expect("a page").1;
    for (name, address) in
        [("reset", "?token=dwr_AZ"), ("disavow", "?token=dwn_AZ"), ("asked", "?done=1&amp;language=fr"), ("dead", "?language=fr")]
    {
        assert!(page(name).contains(&format!("<a href=\"{address}")), "{name}: {}", page(name));
        assert!(page(name).contains("language=fr\" lang=\"fr\" hreflang=\"fr\" dir=\"ltr\">Français</a>"), "{name}");
        assert!(page(name).contains("<span lang=\"en\" dir=\"ltr\" aria-current=\"true\">English</span>"), "{name}");
    }
    // These answer what cannot be asked for again.
    for name in ["throttled", "foreign", "fault"] {
        assert!(!page(name).contains("hreflang"), "{name}");
    }
}

#[test]
fn mails_load_nothing_and_are_small() {
    for (name, mail) in Language::all().flat_map(mails) {
        // Gmail cuts mails at 102 KiB.
        assert!(mail.html.len() + mail.text.len() < 100_000, "{name} has {} bytes", mail.html.len());
        for remote in ["<img", "<link", "src=", "url(", "@import", "<script"] {
            assert!(!mail.html.contains(remote), "{name} has {remote}");
        }
        assert!(mail.subject.chars().count() <= 78 && !mail.subject.contains('\n'), "{}", mail.subject);
    }
}

#[test]
fn what_is_said_cannot_become_markup() {
    for (name, mail) in Language::all().flat_map(mails).filter(|(name, _)| name.ends_with("difficult")) {
        assert!(mail.html.contains("Tom&#x27;s &lt;Bits+Bobs&gt;"), "{name}");
        assert!(!mail.html.contains("<Bits") && !mail.html.contains("=<e>"), "{name}");
        assert!(mail.text.contains("Tom's <Bits+Bobs>") && mail.subject.contains("Tom's <Bits+Bobs>"), "{name}");
    }
    let product = Product { name: "</style><script>alert(1)</script>".to_owned(), ..Product::default() };
    for (name, page) in Language::all().flat_map(|language| pages(language, &product)) {
        assert!(!page.contains("<script>alert"), "{name}");
    }
}

#[test]
fn a_configured_product_gives_its_name_and_colour() {
    let pairs = [("PRODUCT_NAME", "Acme"), ("PRODUCT_COLOR", "#7f1d1d")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = Settings::from_pairs(pairs);
    let product = Product::configured(&mut settings);
    settings.finish().expect("a good configuration");
    let (_, mail) = ResetMail::samples(Language::default()).swap_remove(0);
    let mail = ResetMail { product: product.clone(), ..mail }.render().expect("it can be rendered");
    assert_eq!(mail.subject, "Reset your Acme password");
    assert!(mail.html.contains("bgcolor=\"#7f1d1d\""));
    assert!(pages(Language::default(), &product)[0].1.contains("--accent: #7f1d1d"));
}

#[test]
fn a_logo_is_in_the_page_and_comes_with_the_mail() {
    let logo = |width| Some(Logo { png: b"a picture", svg: Some(b"<svg/>"), width, height: 64 });
    let product = Product { name: "Acme".to_owned(), logo: logo(64), ..Product::default() };
    let (_, page) = pages(Language::default(), &product).swap_remove(0);
    assert!(page.contains("<img class=\"logo\" src=\"data:image/svg+xml;base64,PHN2Zy8+\" width=\"32\" height=\"32\" alt=\"\">"), "{page}");
    assert!(page.contains("<link rel=\"icon\" href=\"data:image/svg+xml;base64,PHN2Zy8+\">") && !page.contains("class=\"door\""));
    assert!(page.contains("<span class=\"product\"><bdi>Acme</bdi></span>"), "beside a mark stands the name");
    let wide = Product { logo: logo(256), ..product };
    let (_, page) = pages(Language::default(), &wide).swap_remove(0);
    assert!(page.contains("width=\"128\" height=\"32\" alt=\"Acme\"") && !page.contains("class=\"product\""));
    let (_, mail) = ResetMail::samples(Language::default()).swap_remove(0);
    let mail = ResetMail { product: wide, ..mail }.render().expect("it can be rendered");
    assert!(mail.html.contains("<img src=\"cid:logo\" width=\"128\" height=\"32\" alt=\"Acme\""), "{}", mail.html);
}

#[test]
fn a_page_s_policy_names_what_is_in_it_and_nothing_else() {
    let reader = Reader { language: Language::default(), path: "/api/password_reset/confirm/".to_owned() };
    let pages = Pages::of(Product::default());
    Page::samples(|name, page| {
        let answer = pages.show(&reader, page).expect("it can be rendered");
        let policy = answer.headers["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        let page = String::from_utf8(answer.body).expect("text");
        for outside in [" style=", " onclick=", " src=", "href=\"http", "url(", "@import"] {
            assert!(!page.contains(outside), "{name} has {outside}");
        }
    });
}
