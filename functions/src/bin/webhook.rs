//! The function `webhook`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::listen::<doorward_functions::Webhook>()
}
