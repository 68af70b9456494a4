//! The function `mailer`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::listen::<doorward_functions::Mailer>()
}
