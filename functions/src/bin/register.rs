//! The function `register`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::serve::<doorward_functions::Register>()
}
