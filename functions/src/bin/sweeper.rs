//! The function `sweeper`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::listen::<doorward_functions::Sweeper>()
}
