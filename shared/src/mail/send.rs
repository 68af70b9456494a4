//! Sending by Amazon SES.

use aws_sdk_sesv2::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader},
};

use super::Rendered;
use crate::{account::EmailAddress, config::Settings, store::sdk_config};

/// Sends mail.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    from: String,
    configuration_set: Option<String>,
}

/// Why a mail was not sent. The text is a code, never an address or what the service said about one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It will not be: the service refuses this mail.
    #[error("refused: {0}")]
    Refused(String),
    /// It may be later: the service is unreachable, throttles, or is not set up to send.
    #[error("not now: {0}")]
    NotNow(String),
}

impl Sender {
    /// A sender over `client`.
    #[must_use]
    pub fn new(client: Client, from: String, configuration_set: Option<String>) -> Self {
        Self { client, from, configuration_set }
    }

    /// `SENDER` and `CONFIGURATION_SET`. No call is made.
    pub async fn connect(settings: &mut Settings) -> Self {
        let from = settings.text("SENDER");
        if !from.is_empty() && (!from.contains('@') || from.contains(char::is_control)) {
            settings.complain("SENDER: must be an address such as accounts@example.com or Name <accounts@example.com>".to_owned());
        }
        Self::new(Client::new(&sdk_config().await), from, settings.optional("CONFIGURATION_SET"))
    }

    /// Hands a mail to the service.
    pub async fn send(&self, to: &str, mail: &Rendered) -> Result<(), NotSent> {
        // SES takes no domain but in A-labels.
        let to = EmailAddress::parse(to).map_or_else(|_| to.to_owned(), |address| address.deliverable());
        let part = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        // Tells vacation responders to keep still (RFC 3834, 5).
        let automatic = MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build();
        let (Ok(subject), Ok(text), Ok(html), Ok(automatic)) = (part(&mail.subject), part(&mail.text), part(&mail.html), automatic) else {
            return Err(NotSent::Refused("NotBuilt".to_owned()));
        };
        let message = Message::builder().subject(subject).body(Body::builder().text(text).html(html).build()).headers(automatic).build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .set_configuration_set_name(self.configuration_set.clone())
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(context)) => {
                let code = context.err().code().unwrap_or("unknown").to_owned();
                // What is wrong with the mail stays wrong; what is wrong with the account or the identity an operator mends.
                if matches!(code.as_str(), "MessageRejected" | "BadRequestException") {
                    Err(NotSent::Refused(code))
                } else {
                    Err(NotSent::NotNow(code))
                }
            }
            Err(_) => Err(NotSent::NotNow("Unreachable".to_owned())),
        }
    }
}
