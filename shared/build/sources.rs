//! The files that are compiled in: those of `templates/`, and in their place those of the folder that `BRANDING` names.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::Problems;

/// Files that only the operator's folder can have.
pub const LOGOS: [&str; 2] = ["logo.png", "logo.svg"];

/// The files by their names below `templates/`, such as `email/layout.html.j2`.
pub struct Sources {
    ours: BTreeMap<String, PathBuf>,
    own: BTreeMap<String, PathBuf>,
}

impl Sources {
    /// The files of this checkout and of the folder in `BRANDING`, whose path may be relative to the checkout. A file of that folder that replaces none of
    /// ours is a problem, except for languages and a logo.
    pub fn of(root: &Path, branding: Option<&str>) -> Result<Self, Problems> {
        let ours = listed(&root.join("templates")).map_err(|error| vec![error])?;
        let own = match branding {
            Some(path) => listed(&root.join(path)).map_err(|error| vec![format!("BRANDING={path}: {error}")])?,
            None => BTreeMap::new(),
        };
        let known = |name: &str| ours.contains_key(name) || LOGOS.contains(&name) || is_language(name);
        let stray: Problems = own
            .keys()
            .filter(|name| !known(name))
            .map(|name| format!("BRANDING: {name} is no file of templates/, so nothing would use it{}", nearest(name, ours.keys())))
            .collect();
        if stray.is_empty() { Ok(Self { ours, own }) } else { Err(stray) }
    }

    /// The names of all files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ours.keys().chain(self.own.keys().filter(|name| !self.ours.contains_key(*name))).map(String::as_str)
    }

    /// Our file, if there is one of this name.
    pub fn ours(&self, name: &str) -> Option<&Path> {
        self.ours.get(name).map(PathBuf::as_path)
    }

    /// The file of `BRANDING`, if there is one of this name.
    pub fn own(&self, name: &str) -> Option<&Path> {
        self.own.get(name).map(PathBuf::as_path)
    }
}

/// Whether this is the name of a file of texts.
pub fn is_language(name: &str) -> bool {
    name.strip_prefix("language/").is_some_and(|rest| Path::new(rest).extension().is_some_and(|kind| kind == "json"))
}

/// The text of a file.
pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// `; did you mean …?` with the known name that resembles this one, if there is one.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let distance = |other: &str| {
        // Levenshtein's distance, a row at a time.
        let mut row: Vec<usize> = (0..=other.chars().count()).collect();
        for (above, one) in name.chars().enumerate() {
            let mut corner = above;
            row[0] = above + 1;
            for (left, two) in other.chars().enumerate() {
                let cost = corner + usize::from(one != two);
                corner = row[left + 1];
                row[left + 1] = cost.min(row[left] + 1).min(corner + 1);
            }
        }
        row.last().copied().unwrap_or_default()
    };
    let best = known.map(|other| (distance(other), other)).min();
    best.filter(|(distance, _)| 2 * distance <= name.chars().count())
        .map(|(_, other)| format!("; did you mean {other}?"))
        .unwrap_or_default()
}

/// Every file below a folder, but hidden ones, backups of editors and `README.md`.
fn listed(folder: &Path) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(String::new(), folder.to_path_buf())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with('.') || name.ends_with('~') || name == "README.md" {
                continue;
            }
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                folders.push((format!("{name}/"), path));
            } else {
                found.insert(name, path.canonicalize().map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(found)
}
