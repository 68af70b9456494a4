//! What the documents and comments refer to exists, and none of them uses words that only this project's authors would understand.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Folders with files that were not written here. Hidden folders are left out as well.
const NOT_OURS: [&str; 5] = ["target", "node_modules", "corpus", "artifacts", "__pycache__"];
/// Names of documents that tests make up.
const MADE_UP: [&str; 1] = ["x.md"];
/// Endings of files that hold text written here. `Makefile` and `run` (of CI) have none.
const TEXTS: [&str; 14] = ["rs", "md", "py", "js", "toml", "yaml", "yml", "j2", "css", "html", "sh", "json", "Makefile", "run"];

/// Words and phrases of this project's own making, and the standard term for each.
const PRIVATE_WORDS: [(&str, &str); 12] = [
    ("recorded stack", "DRF API"),
    ("the house", "the code"),
    ("lever", "emergency switch"),
    ("levers", "emergency switches"),
    ("wish", "request"),
    ("wishes", "requests"),
    ("deeds", "requests"),
    ("ComeAgain", "RetryLater"),
    ("Trouble", "an error type"),
    ("for nobody", "of a placeholder account"),
    ("BroughtIn", "Imported"),
    ("NotSignedIn", "SessionError"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root of the repository")
}

/// Every text below the root: its path relative to the root, and its content.
fn texts() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut texts = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let is_hidden = name.starts_with('.') && name != ".ci";
            if path.is_dir() && !path.is_symlink() {
                if !is_hidden && !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if !is_hidden && TEXTS.contains(&name.rsplit('.').next().unwrap_or_default()) {
                let relative = path.strip_prefix(&root).expect("below the root").to_owned();
                texts.push((relative, fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    texts.sort();
    assert!(texts.len() > 150, "{}", texts.len());
    texts
}

fn documents(texts: &[(PathBuf, String)]) -> impl Iterator<Item = &(PathBuf, String)> {
    texts.iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "md"))
}

/// The names of documents in a text, with the folders that stand before them.
fn named_documents(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || "./_-".contains(letter)));
    // What follows `scheme:` is a URL.
    let names = words.map(|word| word.trim_end_matches('.')).filter(|word| word.ends_with(".md") && !word.starts_with("//"));
    names.filter(|name| name.trim_end_matches(".md").ends_with(char::is_alphanumeric) && !MADE_UP.contains(name)).collect()
}

/// Whether a name means a document of the repository: relative to the text that names it, or to the root, or as the last part of a path.
fn is_there(name: &str, named_in: &Path, all: &BTreeSet<PathBuf>) -> bool {
    let beside = named_in.parent().is_some_and(|folder| root().join(folder).join(name).is_file());
    beside || all.iter().any(|document| document.ends_with(name.trim_start_matches("../")))
}

#[test]
fn every_document_that_a_text_names_exists() {
    let texts = texts();
    let all: BTreeSet<PathBuf> = documents(&texts).map(|(path, _)| path.clone()).collect();
    let missing: Vec<String> = texts
        .iter()
        .flat_map(|(path, text)| named_documents(text).into_iter().map(move |name| (path, name)))
        .filter(|(path, name)| !is_there(name, path, &all))
        .map(|(path, name)| format!("{} names {name}", path.display()))
        .collect();
    assert_eq!(missing, [""; 0]);
    assert!(!is_there(concat!("NO_SUCH", ".md"), Path::new("README.md"), &all), "a missing document would be noticed");
    assert!(is_there("SECURITY.md", Path::new("shared/src/lib.rs"), &all));
}

/// The anchor that a renderer gives a heading: lower case, punctuation left out, hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).flat_map(char::to_lowercase).collect()
}

fn anchors(document: &str) -> BTreeSet<String> {
    document.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// The targets of a document's links that stay within the repository.
fn links(document: &str) -> Vec<&str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace)).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let texts = texts();
    let mut broken = Vec::new();
    let mut count = 0;
    for (path, text) in documents(&texts) {
        for link in links(text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(path) } else { root().join(path).with_file_name("").join(file) };
            let leads =
                target.exists() && (heading.is_empty() || anchors(&fs::read_to_string(&target).unwrap_or_default()).contains(heading));
            count += 1;
            if !leads {
                broken.push(format!("{} links to {link}", path.display()));
            }
        }
    }
    assert!(count > 30, "{count}");
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_link_to_a_missing_heading_would_be_noticed() {
    let document = "# One\n\n## What it costs, in US dollars\n\n[there](#what-it-costs-in-us-dollars) [elsewhere](https://example.org/a)";
    assert_eq!(links(document), ["#what-it-costs-in-us-dollars"]);
    assert!(anchors(document).contains("what-it-costs-in-us-dollars") && !anchors(document).contains("what-it-costs"));
}

/// Whether the text contains the words as words of their own, whatever their case. Names in code (`a_b`) are one word.
fn says(text: &str, words: &str) -> bool {
    let (text, words) = (text.to_lowercase(), words.to_lowercase());
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(&words).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[test]
fn no_private_word_is_left() {
    let this = Path::new("tests/api/tests/documents.rs");
    let mut found = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| path != this) {
        // A comment may break a phrase across its lines.
        let text = text.replace("///", "").replace("//", "").split_whitespace().collect::<Vec<_>>().join(" ");
        for (private, standard) in PRIVATE_WORDS.into_iter().filter(|(private, _)| says(&text, private)) {
            found.push(format!("{} says “{private}”; say “{standard}”", path.display()));
        }
    }
    assert_eq!(found, [""; 0]);
    assert!(says("the Recorded\u{20}stack.", "recorded stack") && !says("a_recorded stack_", "recorded stack"));
}

#[test]
fn the_readme_stays_short() {
    let lines = include_str!("../../../README.md").lines().count();
    assert!(lines <= 130, "README.md has {lines} lines; at most 130 are read");
}
