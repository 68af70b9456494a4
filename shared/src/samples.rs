//! Every mail and page, rendered with sample data: for previews, and to check the operator's own templates before they are deployed.

use crate::{
    brand::{Logo, Product, ProductLinks},
    http::Reader,
    language::Language,
    mail::{AddressMail, ChangedMail, DeletionMail, RegisteredMail, RenamedMail, Rendered, ResetMail, SignInMail, VerifyMail},
    page::{Page, Pages},
    template::TemplateError,
};

/// Every mail of a product in a language, by its name. Samples with a product of their own show a difficult name.
#[must_use]
pub fn mails(language: Language, product: &Product) -> Vec<(String, Result<Rendered, TemplateError>)> {
    let of = |sample: Product| if sample == Product::default() { product.clone() } else { sample };
    let mut mails = Vec::new();
    for (name, mail) in ResetMail::samples(language) {
        mails.push((format!("password_reset-{name}"), ResetMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in ChangedMail::samples(language) {
        mails.push((format!("password_changed-{name}"), ChangedMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in RenamedMail::samples(language) {
        mails.push((format!("account_renamed-{name}"), RenamedMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in SignInMail::samples(language) {
        mails.push((format!("sign_in-{name}"), SignInMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in DeletionMail::samples(language) {
        mails.push((format!("deletion-{name}"), DeletionMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in VerifyMail::samples(language) {
        mails.push((format!("verify-{name}"), VerifyMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in RegisteredMail::samples(language) {
        mails.push((format!("registered-{name}"), RegisteredMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    for (name, mail) in AddressMail::samples(language) {
        mails.push((format!("address_changed-{name}"), AddressMail { product: of(mail.product.clone()), ..mail }.render()));
    }
    mails
}

/// Every page of a product in a language, by its name.
#[must_use]
pub fn pages(language: Language, product: &Product) -> Vec<(String, Result<String, TemplateError>)> {
    let pages = Pages::of(product.clone());
    let reader = Reader { language, path: "/api/password_reset/confirm/".to_owned() };
    let mut shown = Vec::new();
    Page::samples(|name, page| {
        let answer = pages.show(&reader, page).map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        shown.push((name.to_owned(), answer));
    });
    shown
}

/// A product's logo as a browser loads it. Empty without one.
#[must_use]
pub fn logo_url(product: &Product) -> String {
    product.logo.map(Logo::as_url).unwrap_or_default()
}

/// A product with every link.
#[must_use]
pub fn linked() -> Product {
    let link = |path: &str| Some(format!("https://app.example.com/{path}"));
    let links =
        ProductLinks { login: link("login"), home: link(""), help: link("help"), imprint: link("imprint"), privacy: link("privacy") };
    Product { links, ..Product::default() }
}

/// Every mail and page that cannot be rendered, with the reason. Only the operator's own templates can cause that.
#[must_use]
pub fn broken() -> Vec<String> {
    let mut found = Vec::new();
    for (language, product) in Language::all().flat_map(|language| [(language, Product::default()), (language, linked())]) {
        let mails = mails(language, &product).into_iter().filter_map(|(name, mail)| Some((format!("mail {name}"), mail.err()?)));
        let pages = pages(language, &product).into_iter().filter_map(|(name, page)| Some((format!("page {name}"), page.err()?)));
        found.extend(mails.chain(pages).map(|(name, error)| format!("{name} in {}: {error}", language.tag())));
    }
    found.dedup();
    found
}
