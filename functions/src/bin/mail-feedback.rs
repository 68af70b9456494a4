//! The function `mail-feedback`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::listen::<doorward_functions::MailFeedback>()
}
