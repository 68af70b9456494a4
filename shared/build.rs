//! Compiles the list of common passwords into a set that can be searched.

use std::{env, error::Error, fs, path::PathBuf};

/// The list: one password per line, sorted by bytes, as the set's compiler requires.
const LIST: &str = "data/common-passwords.txt";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={LIST}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    let target = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let list = fs::read_to_string(root.join(LIST))?;
    let set = fst::Set::from_iter(list.lines())?;
    fs::write(target.join("common-passwords.fst"), set.as_fst().as_bytes())?;
    Ok(())
}
