//! The function `events`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::listen::<doorward_functions::Events>()
}
