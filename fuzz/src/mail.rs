//! Any text as an address and as a quotation in a mail. A header gets one address or one line, and HTML gets no further markup.

use std::sync::LazyLock;

use doorward::{
    account::EmailAddress,
    brand::Product,
    language::Language,
    mail::{Rendered, ResetMail},
};

fn rendered(quoted: &str) -> Rendered {
    let (_, sample) = ResetMail::samples(Language::default()).swap_remove(0);
    // The configuration refuses a product's name with such characters.
    let product = Product { name: quoted.replace(char::is_control, ""), ..sample.product.clone() };
    ResetMail { product, link: format!("https://accounts.example.com/{quoted}"), ..sample }.render().expect("a mail")
}

/// The number of characters in a mail that open or close a tag or a quotation.
fn markup(html: &str) -> [usize; 3] {
    ['<', '>', '"'].map(|mark| html.matches(mark).count())
}

static PLAIN: LazyLock<[usize; 3]> = LazyLock::new(|| markup(&rendered("x").html));

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let text = crate::text(data);
    if let Ok(address) = EmailAddress::parse(text) {
        let to = address.deliverable();
        assert!(!to.contains(['\r', '\n', '\0']), "{to:?}");
        let (local, domain) = to.rsplit_once('@').expect("an address");
        assert!(domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'[' | b']' | b':')), "{domain:?}");
        // RFC 5322, 3.2.3: outside a quoted string these end an address or begin another.
        let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
        assert!(quoted || !local.contains(|character: char| "()<>[]:;@\\,\" ".contains(character)), "{local:?}");
        let again = EmailAddress::parse(&to).expect("what is sent to is an address");
        assert_eq!(again.deliverable(), to);
    }
    if !text.is_empty() && text.len() <= 200 {
        let mail = rendered(text);
        assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
        assert_eq!(markup(&mail.html), *PLAIN);
    }
}
