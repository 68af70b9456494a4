//! Sending mail with Amazon SES.

use aws_sdk_sesv2::{
    Client,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata as _, SdkError},
    primitives::Blob,
    types::{Attachment, AttachmentContentDisposition, Body, Content, Destination, EmailContent, Message, MessageHeader},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Rendered;
use crate::{
    account::EmailAddress,
    aws::{for_calls_tried_once, sdk_config},
    brand::Product,
    config::Settings,
};

/// Sends mail.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    address: String,
    configuration_set: Option<String>,
}

/// A mail was not sent. The text is a code, never an address or the service's own message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It never will be, because the service refuses this mail.
    #[error("refused: {0}")]
    Refused(String),
    /// The mail may be sent later: the service is unreachable, throttles, or is not set up to send.
    #[error("not now: {0}")]
    NotNow(String),
}

impl Sender {
    /// A sender over `client`, from this address.
    #[must_use]
    pub fn new(client: Client, address: String, configuration_set: Option<String>) -> Self {
        Self { client, address, configuration_set }
    }

    /// `SENDER` and `CONFIGURATION_SET`. No call is made.
    pub fn connect(settings: &mut Settings) -> Self {
        let address = settings.text("SENDER");
        if !address.is_empty() && EmailAddress::parse(&address).is_err() {
            settings.complain("SENDER: must be one plain address such as accounts@example.com".to_owned());
        } else if is_example(&address) && !settings.optional("LINK_BASE").is_some_and(|base| base.starts_with("http://")) {
            // Links without TLS lead to this machine, so this mail need not leave it either.
            settings.complain("SENDER: is an example; mail comes from an address of yours that SES has verified".to_owned());
        }
        // The Outbox counts and delays the retries. The SDK's own retry, after a lost answer, would send a second mail without a record.
        let config = aws_sdk_sesv2::config::Builder::from(&sdk_config("SESV2"))
            .retry_config(RetryConfig::disabled())
            .http_client(for_calls_tried_once())
            .build();
        Self::new(Client::from_conf(config), address, settings.optional("CONFIGURATION_SET"))
    }

    /// Sends a mail of this product, and returns the id that the service gave it.
    pub async fn send(&self, product: &Product, to: &EmailAddress, mail: &Rendered) -> Result<String, SendError> {
        let part = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        // Asks vacation responders not to answer (RFC 3834, 5).
        let automatic = MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build();
        let (Ok(subject), Ok(text), Ok(html), Ok(automatic)) = (part(&mail.subject), part(&mail.text), part(&mail.html), automatic) else {
            return Err(SendError::Refused("NotBuilt".to_owned()));
        };
        let message = Message::builder().subject(subject).body(Body::builder().text(text).html(html).build()).headers(automatic);
        let message = message.set_attachments(logo_of(product, mail)).build();
        let sent = self
            .client
            .send_email()
            .from_email_address(format!("{} <{}>", display_name(&product.name), self.address))
            .set_configuration_set_name(self.configuration_set.clone())
            .destination(Destination::builder().to_addresses(to.deliverable()).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match sent {
            Ok(accepted) => Ok(accepted.message_id.unwrap_or_default()),
            Err(SdkError::ServiceError(context)) => {
                let code = context.err().code().unwrap_or("unknown").to_owned();
                // These two codes mean that the mail itself is wrong. An operator can repair the cause of all others, such as the account or the identity.
                if matches!(code.as_str(), "MessageRejected" | "BadRequestException") {
                    Err(SendError::Refused(code))
                } else {
                    Err(SendError::NotNow(code))
                }
            }
            Err(_) => Err(SendError::NotNow("Unreachable".to_owned())),
        }
    }
}

/// The logo, if the mail shows it. It is an inline attachment (RFC 2392), because mail programs load no remote images and show no `data:` URLs.
fn logo_of(product: &Product, mail: &Rendered) -> Option<Vec<Attachment>> {
    let logo = product.logo.filter(|_| mail.html.contains("\"cid:logo\""))?;
    let attachment = Attachment::builder()
        .raw_content(Blob::new(logo.png))
        .content_disposition(AttachmentContentDisposition::Inline)
        .content_id("logo")
        .content_type("image/png")
        .file_name("logo.png")
        .build();
    attachment.ok().map(|attachment| vec![attachment])
}

/// Whether an address is at a domain that is reserved for examples and tests (RFC 2606; RFC 6761).
fn is_example(address: &str) -> bool {
    let domain = address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let labels: Vec<&str> = domain.rsplit('.').collect();
    matches!(labels[..], ["example" | "test" | "invalid" | "localhost", ..] | ["com" | "net" | "org", "example", ..])
}

/// A display name: a quoted string (RFC 5322, 3.2.4) or, where it is not ASCII, encoded words (RFC 2047), as SES asks for.
fn display_name(name: &str) -> String {
    if name.is_ascii() {
        let quoted = |character: char| if matches!(character, '"' | '\\') { format!("\\{character}") } else { character.to_string() };
        return format!("\"{}\"", name.chars().filter(|character| !character.is_control()).map(quoted).collect::<String>());
    }
    // An encoded word has at most 75 characters; 45 bytes are 60 characters in base64.
    let mut words: Vec<String> = Vec::new();
    for character in name.chars() {
        match words.last_mut().filter(|word| word.len() + character.len_utf8() <= 45) {
            Some(word) => word.push(character),
            None => words.push(character.to_string()),
        }
    }
    words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_from_domains_that_somebody_has() {
        for address in ["a@example.com", "a@mail.Example.ORG", "a@doorward.example", "a@localhost", "a@x.test"] {
            assert!(is_example(address), "{address}");
        }
        for address in ["a@example.de", "a@myexample.com", "a@example.com.br", "a@doorward.internal"] {
            assert!(!is_example(address), "{address}");
        }
    }

    #[test]
    fn a_logo_comes_with_the_mails_that_show_it_and_with_no_other() {
        let drawn = crate::brand::Logo { png: b"a picture", svg: None, width: 64, height: 64 };
        let mail = |html: &str| Rendered { subject: String::new(), text: String::new(), html: html.to_owned() };
        let attached = |logo, html: &str| logo_of(&Product { logo, ..Product::default() }, &mail(html)).unwrap_or_default();
        let attachments = attached(Some(drawn), "<img src=\"cid:logo\">");
        let [attachment] = &attachments[..] else { panic!("{attachments:?}") };
        assert_eq!((attachment.content_id(), attachment.content_type()), (Some("logo"), Some("image/png")));
        assert_eq!(attachment.content_disposition(), Some(&AttachmentContentDisposition::Inline));
        assert_eq!((attachment.raw_content().as_ref(), attachment.file_name()), (&b"a picture"[..], "logo.png"));
        assert!(attached(Some(drawn), "a template of one's own without it").is_empty());
        assert!(attached(None, "<img src=\"cid:logo\">").is_empty());
    }

    #[test]
    fn a_name_before_an_address_is_quoted_or_encoded() {
        assert_eq!(display_name("Ann's \"Shop\"\r\nBcc: x"), "\"Ann's \\\"Shop\\\"Bcc: x\"");
        assert_eq!(display_name("Bücher"), "=?UTF-8?B?QsO8Y2hlcg==?=");
        assert!(display_name(&"ü".repeat(60)).split(' ').all(|word| word.len() <= 75));
    }
}
