//! The function `validate-token`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::serve::<doorward_functions::ValidateToken>()
}
