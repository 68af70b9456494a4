//! The functions as their `main`s wire them, up to the first event.

use authorizer::Authorizer;
use change_password::ChangePassword;
use confirm_reset::ConfirmReset;
use doorward::{
    clock::Clock,
    config::{ConfigError, Settings},
    entropy::Entropy,
    http::Edge,
    mail::Sender,
    store::{Store, Table},
    telemetry,
};
use login::Login;
use logout::Logout;
use mail_feedback::MailFeedback;
use mailer::Mailer;
use password_reset::PasswordReset;
use register::Register;
use validate_token::ValidateToken;

const ALL: [Table; 3] = [Table::Accounts, Table::Limits, Table::Outbox];

/// Starts every function with these settings and this randomness: what each says.
pub fn every_function(settings: impl Fn() -> Settings, entropy: &Entropy) -> Vec<(&'static str, Result<(), ConfigError>)> {
    let mut said = Vec::new();
    macro_rules! endpoint {
        ($name:literal, $type:ident, $tables:expr) => {
            let mut settings = settings();
            telemetry::start(&mut settings);
            let store = Store::connect(&mut settings, $tables, entropy.clone());
            Edge::configured(&mut settings);
            $type::new(&mut settings, store, Clock::system(), entropy.clone());
            said.push(($name, settings.finish()));
        };
    }
    endpoint!("register", Register, &ALL[..2]);
    endpoint!("login", Login, &ALL[..2]);
    endpoint!("logout", Logout, &ALL[..1]);
    endpoint!("change-password", ChangePassword, &ALL);
    endpoint!("password-reset", PasswordReset, &ALL[1..]);
    endpoint!("validate-token", ValidateToken, &ALL[..2]);
    endpoint!("confirm-reset", ConfirmReset, &ALL);
    let mut authorizers = settings();
    let store = Store::connect(&mut authorizers, &ALL[..1], entropy.clone());
    Authorizer::new(&mut authorizers, store, Clock::system());
    said.push(("authorizer", authorizers.finish()));
    let mut mailers = settings();
    let store = Store::connect(&mut mailers, &[Table::Accounts, Table::Outbox], entropy.clone());
    let sender = Sender::connect(&mut mailers);
    Mailer::new(&mut mailers, store, sender, Clock::system(), entropy.clone());
    said.push(("mailer", mailers.finish()));
    let mut feedback = settings();
    let _ = MailFeedback::new(Store::connect(&mut feedback, &ALL[..1], entropy.clone()));
    said.push(("mail-feedback", feedback.finish()));
    said
}
