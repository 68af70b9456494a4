//! The modules of every crate of the product, and of the test kit, import one another in one direction only, at every level, as ARCHITECTURE.md says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The sources of each crate, and a number of modules that it has at least.
const CRATES: [(&str, usize); 4] = [("shared/src", 100), ("functions/src", 40), ("admin/src", 30), ("tests/kit/src", 25)];

type ModulePath = Vec<String>;

/// A source file: its imports, and its code without imports, comments and tests.
#[derive(Debug, Default)]
struct Module {
    /// What each import is called here, its path, and whether it is passed on.
    imports: Vec<(String, ModulePath, bool)>,
    code: String,
}

/// The words of a text, with the signs that paths and imports are made of.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if is_word(first) => rest.find(|char| !is_word(char)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, left) = rest.split_at(length);
        if !token.trim().is_empty() {
            tokens.push(token);
        }
        rest = left;
    }
    tokens
}

/// Reads the tree of a `use`, such as `crate::{a::B, c}`: every path in it, and what it is called here.
fn import_tree(tokens: &mut std::slice::Iter<'_, &str>, prefix: &[String], found: &mut Vec<(String, ModulePath)>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.next() {
        match *token {
            "::" => {}
            "{" => {
                import_tree(tokens, &path, found);
                path = prefix.to_vec();
            }
            "as" => {
                let name = tokens.next().map(|name| (*name).to_owned()).unwrap_or_default();
                found.push((name, std::mem::take(&mut path)));
            }
            "," | "}" => {
                if path.len() > prefix.len() {
                    found.push((path.last().cloned().unwrap_or_default(), path.clone()));
                }
                path = prefix.to_vec();
                if *token == "}" {
                    return;
                }
            }
            word => path.push(word.to_owned()),
        }
    }
}

impl Module {
    fn read(source: &str) -> Self {
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let mut module = Self::default();
        let mut import: Option<(String, bool)> = None;
        for line in source.lines().map(|line| line.split("//").next().unwrap_or_default()) {
            let start = line.trim_start();
            let after_use = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().find_map(|word| start.strip_prefix(word));
            if let (None, Some(path)) = (&import, after_use) {
                import = Some((path.to_owned(), start.starts_with("pub")));
            } else if let Some((text, _)) = &mut import {
                text.push_str(line);
            } else {
                module.code.push_str(line);
                module.code.push('\n');
            }
            if let Some((text, passed_on)) = import.take_if(|(text, _)| text.contains(';')) {
                let text = text.replace(';', ",");
                let mut found = Vec::new();
                import_tree(&mut tokens(&text).iter(), &[], &mut found);
                module.imports.extend(found.into_iter().map(|(name, path)| (name, path, passed_on)));
            }
        }
        module
    }
}

/// All modules by their paths; the crate's own file has the empty one.
struct Modules(BTreeMap<ModulePath, Module>);

impl Modules {
    fn read(folder: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let mut folders = vec![(folder.to_owned(), ModulePath::new())];
        while let Some((folder, path)) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                let name = entry.file_stem().expect("a name").to_string_lossy().into_owned();
                let inner = path.iter().cloned().chain([name.clone()]).collect::<ModulePath>();
                if name == "tests" {
                    continue;
                }
                if entry.is_dir() {
                    folders.push((entry, inner));
                } else {
                    let source = fs::read_to_string(&entry).expect("a source");
                    modules.insert(if ["lib", "mod"].contains(&name.as_str()) { path.clone() } else { inner }, Module::read(&source));
                }
            }
        }
        Self(modules)
    }

    /// The module in which a path that stands in module `here` ends, if it is one of ours. What a module passes on of its own parts is followed
    /// to the part that makes it.
    fn resolve(&self, here: &[String], path: &[String]) -> Option<ModulePath> {
        let mut place = here.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => place.clear(),
            "self" | "super" => {}
            child if self.0.contains_key(&[here, &[child.to_owned()]].concat()) => place.push(child.to_owned()),
            _ => return None,
        }
        while let Some(word) = rest.first() {
            let inner = [place.as_slice(), std::slice::from_ref(word)].concat();
            match word.as_str() {
                "super" => drop(place.pop()),
                _ if std::ptr::eq(rest, path) => {}
                _ if self.0.contains_key(&inner) => place = inner,
                name => {
                    let passed_on = self
                        .0
                        .get(&place)
                        .unwrap_or_else(|| panic!("no module {place:?}, from {here:?} by {path:?}"))
                        .imports
                        .iter()
                        .find(|(known, _, passed_on)| *passed_on && known == name);
                    let made_at = passed_on.and_then(|(_, path, _)| self.resolve(&place, path));
                    return made_at.filter(|made_at| made_at.starts_with(&place)).or(Some(place));
                }
            }
            rest = &rest[1..];
        }
        Some(place)
    }

    /// Which modules a module uses: by its imports, and by paths in its code.
    fn uses(&self, here: &ModulePath) -> BTreeSet<ModulePath> {
        let module = &self.0[here];
        let tokens = tokens(&module.code);
        let mut paths: Vec<ModulePath> = module.imports.iter().map(|(_, path, _)| path.clone()).collect();
        for start in (0..tokens.len()).filter(|start| *start == 0 || tokens[start - 1] != "::") {
            let words = tokens[start..].chunks(2).take_while(|pair| pair.len() == 2 && pair[1] == "::").count();
            paths.extend((words > 0).then(|| tokens[start..].iter().step_by(2).take(words + 1).map(|word| (*word).to_owned()).collect()));
        }
        paths.iter().filter_map(|path| self.resolve(here, path)).filter(|used| used != here).collect()
    }

    /// Pairs of modules inside one module that reach each other, whatever the way. The file of the module around them is not one of them: it is
    /// what they are parts of.
    fn cycles(&self) -> BTreeSet<String> {
        let uses: Vec<(&ModulePath, BTreeSet<ModulePath>)> = self.0.keys().map(|here| (here, self.uses(here))).collect();
        let mut cycles = BTreeSet::new();
        for parent in self.0.keys() {
            let inside = |path: &ModulePath| path.strip_prefix(parent.as_slice()).and_then(<[String]>::first).cloned();
            let mut reached: BTreeSet<(String, String)> = BTreeSet::new();
            for (from, used) in &uses {
                reached.extend(used.iter().filter_map(|to| Some((inside(from)?, inside(to)?))).filter(|(from, to)| from != to));
            }
            loop {
                let further = |(from, over): &(String, String)| {
                    let over = over.clone();
                    let from = from.clone();
                    reached
                        .iter()
                        .filter(move |(start, _)| *start == over)
                        .map(move |(_, to)| (from.clone(), to.clone()))
                        .collect::<Vec<_>>()
                };
                let more: BTreeSet<_> = reached.iter().flat_map(further).collect();
                let before = reached.len();
                reached.extend(more);
                if reached.len() == before {
                    break;
                }
            }
            let both_ways = reached.iter().filter(|(from, to)| from < to && reached.contains(&(to.clone(), from.clone())));
            cycles.extend(both_ways.map(|(from, to)| format!("{}: {from} and {to}", parent.join("::"))));
        }
        cycles
    }
}

#[test]
fn no_module_uses_a_module_that_uses_it() {
    for (sources, at_least) in CRATES {
        let modules = Modules::read(&Path::new(ROOT).join(sources));
        assert!(modules.0.len() >= at_least, "{sources} has {} modules", modules.0.len());
        assert_eq!(modules.cycles(), BTreeSet::new(), "{sources}");
    }
}

#[test]
fn imports_are_read_in_every_form() {
    let source = |text: &str| Module::read(text);
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<ModulePath>();
    let modules = Modules(BTreeMap::from([
        (vec![], source("pub mod a;\npub mod b;\n")),
        (path("a"), source("mod inner;\npub use self::inner::Inner;\npub use crate::b::B;\nfn f(_: crate::b::B) {}\n")),
        (path("a::inner"), source("use crate::{\n    b::{B as Other, C},\n    c,\n};\npub struct Inner; // crate::a\n")),
        (path("b"), source("use std::fmt;\npub struct B; fn g() { super::a::h() }\n#[cfg(test)]\nmod tests { use crate::c::D; }\n")),
        (path("d"), source("use crate::a::{self, B};\n")),
        (path("c"), source("fn f(_: crate::a::Inner) {}\n")),
    ]));
    let uses = |module: &str| modules.uses(&path(module)).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(uses("a"), ["a::inner", "b"]);
    assert_eq!(uses("a::inner"), ["b", "c"]);
    assert_eq!(uses("b"), ["a"]);
    assert_eq!(uses("c"), ["a::inner"], "what a module passes on of its own is followed");
    assert_eq!(uses("d"), ["a"], "what it passes on of others is not");
    assert_eq!(modules.cycles().into_iter().collect::<Vec<_>>(), [": a and b", ": a and c", ": b and c"]);
}
