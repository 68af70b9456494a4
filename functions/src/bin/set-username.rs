//! The function `set-username`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::serve::<doorward_functions::SetUsername>()
}
