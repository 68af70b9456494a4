//! Compiles the data that the functions contain: the list of common passwords, the languages, the templates, and a logo.
//!
//! `BRANDING` names the operator's own folder of texts, templates and a logo, which replace ours (docs/customise.md). Every mistake in it fails the build,
//! because otherwise only the person who waits for a mail would notice that it cannot be rendered.

#[path = "build/branding.rs"]
mod branding;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The list: one password per line, sorted by bytes, as the set's compiler requires.
const LIST: &str = "data/common-passwords.txt";

fn main() -> ExitCode {
    let problems = match build() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(problems) => problems,
    };
    for problem in problems {
        println!("cargo::error={problem}");
    }
    ExitCode::FAILURE
}

fn build() -> Result<(), branding::Problems> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| vec![format!("{name} is not set")]);
    let (package, target) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed={LIST}");
    common_passwords(&package, &target).map_err(|error| vec![error])?;

    let (root, branding) = (package.join(".."), env::var("BRANDING").ok().filter(|path| !path.is_empty()));
    println!("cargo::rerun-if-env-changed=BRANDING");
    for folder in [Some("templates"), branding.as_deref()].into_iter().flatten() {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
    }
    for (name, text) in branding::generate(&root, branding.as_deref())? {
        fs::write(target.join(name), text).map_err(|error| vec![format!("{name}: {error}")])?;
    }
    Ok(())
}

fn common_passwords(package: &Path, target: &Path) -> Result<(), String> {
    let list = fs::read_to_string(package.join(LIST)).map_err(|error| format!("{LIST}: {error}"))?;
    let set = fst::Set::from_iter(list.lines()).map_err(|error| format!("{LIST}: {error}"))?;
    fs::write(target.join("common-passwords.fst"), set.as_fst().as_bytes()).map_err(|error| format!("common-passwords.fst: {error}"))
}
