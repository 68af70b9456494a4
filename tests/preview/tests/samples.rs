//! Snapshots of every mail and page in every language.

use doorward::{
    brand::Product,
    config::Settings,
    http::Reader,
    language::Language,
    mail::{ChangedMail, RenamedMail, Rendered, ResetMail, SignInMail},
    page::{Page, Pages},
};

fn mails(language: Language) -> Vec<(String, Rendered)> {
    let reset = ResetMail::samples(language).into_iter().map(|(name, mail)| (format!("password_reset-{name}"), mail.render()));
    let changed = ChangedMail::samples(language).into_iter().map(|(name, mail)| (format!("password_changed-{name}"), mail.render()));
    let renamed = RenamedMail::samples(language).into_iter().map(|(name, mail)| (format!("account_renamed-{name}"), mail.render()));
    let signed_in = SignInMail::samples(language).into_iter().map(|(name, mail)| (format!("sign_in-{name}"), mail.render()));
    reset.chain(changed).chain(renamed).chain(signed_in).map(|(name, mail)| (name, mail.expect("it can be rendered"))).collect()
}

fn pages(language: Language, product: Product) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    let pages = Pages::of(product);
    Page::samples(|name, page| {
        let reader = Reader { language, path: "/api/password_reset/confirm/".to_owned() };
        let answer = pages.show(&reader, page).expect("it can be rendered");
        shown.push((name, String::from_utf8(answer.body).expect("text")));
    });
    shown
}

#[test]
fn every_mail_reads_as_it_should_in_every_language() {
    for language in Language::ALL {
        for (name, mail) in mails(language) {
            insta::assert_snapshot!(format!("{}-{name}.txt", language.tag()), format!("Subject: {}\n\n{}", mail.subject, mail.text));
            insta::assert_snapshot!(format!("{}-{name}.html", language.tag()), mail.html);
        }
    }
}

#[test]
fn every_page_reads_as_it_should_in_every_language() {
    for language in Language::ALL {
        for (name, page) in pages(language, Product::default()) {
            // Style and script are in files of their own.
            let (head, rest) = page.split_once("<style>").expect("a style");
            let (_, body) = rest.split_once("</style>").expect("its end");
            let body = body.split("<script>").next().unwrap_or_default();
            insta::assert_snapshot!(format!("{}-page-{name}", language.tag()), format!("{head}{body}"));
        }
    }
}

#[test]
fn mails_load_nothing_and_are_small() {
    for (name, mail) in Language::ALL.into_iter().flat_map(mails) {
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
    for (name, mail) in Language::ALL.into_iter().flat_map(mails).filter(|(name, _)| name.ends_with("difficult")) {
        assert!(mail.html.contains("Tom&#x27;s &lt;Bits+Bobs&gt;"), "{name}");
        assert!(!mail.html.contains("<Bits") && !mail.html.contains("=<e>"), "{name}");
        assert!(mail.text.contains("Tom's <Bits+Bobs>") && mail.subject.contains("Tom's <Bits+Bobs>"), "{name}");
    }
    let product = Product { name: "</style><script>alert(1)</script>".to_owned(), ..Product::default() };
    for (name, page) in Language::ALL.into_iter().flat_map(|language| pages(language, product.clone())) {
        assert!(!page.contains("<script>alert"), "{name}");
    }
}

#[test]
fn a_configured_product_gives_its_name_and_colour() {
    let pairs = [("PRODUCT_NAME", "Acme"), ("PRODUCT_COLOR", "#7f1d1d")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = Settings::from_pairs(pairs);
    let product = Product::configured(&mut settings);
    settings.finish().expect("a good configuration");
    let (_, mail) = ResetMail::samples(Language::English).swap_remove(0);
    let mail = ResetMail { product: product.clone(), ..mail }.render().expect("it can be rendered");
    assert_eq!(mail.subject, "Reset your Acme password");
    assert!(mail.html.contains("bgcolor=\"#7f1d1d\""));
    assert!(pages(Language::English, product)[0].1.contains("--accent: #7f1d1d"));
}

#[test]
fn a_page_s_policy_names_what_is_in_it_and_nothing_else() {
    let reader = Reader { language: Language::English, path: "/api/password_reset/confirm/".to_owned() };
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
