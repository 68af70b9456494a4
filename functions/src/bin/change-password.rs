//! The function `change-password`.

fn main() -> Result<(), doorward_functions::Error> {
    doorward_functions::serve::<doorward_functions::ChangePassword>()
}
