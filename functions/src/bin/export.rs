//! The function `export`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::serve::<doorward_functions::Export>()
}
