//! The direction of imports: a top-level module imports only from modules below it, and no file imports one that
//! imports it. `docs/architecture.md` must show the picture that this test generates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

/// The top-level modules of `src`, lowest first. Each may import from those before it.
const ROOMS: [&str; 24] = [
    "types",
    "metrics",
    "telemetry",
    "scratch",
    "texts",
    "http",
    "signature",
    "secret",
    "db",
    "throttle",
    "audit",
    "start_error",
    "config",
    "master_key",
    "check",
    "app",
    "account",
    "keys",
    "operate",
    "console",
    "entry",
    "serve",
    "cli",
    "main",
];

/// The modules that must not use the database: they call the domain.
const WITHOUT_DATABASE: [&str; 2] = ["console", "entry"];

/// The imports of each file, by module: `keys::lifecycle` imports `db::api_keys`, and so on. Test modules do not count.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut sources = BTreeMap::new();
    collect(Path::new("src"), "", &mut sources);
    let found = sources.iter().map(|(module, source)| {
        let mut paths = Paths { module, found: BTreeSet::new() };
        paths.visit_file(&syn::parse_file(source).unwrap());
        let files = paths.found.iter().filter_map(|path| file_of(path, &sources));
        (module.clone(), files.filter(|file| file != module).collect())
    });
    found.collect()
}

fn collect(folder: &Path, module: &str, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = [module, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::");
        if path.is_dir() {
            collect(&path, &inner, sources);
        } else if name == "mod" {
            sources.insert(module.to_owned(), fs::read_to_string(&path).unwrap());
        } else if name != "lib" && name != "tests" {
            sources.insert(inner, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The file that a path refers to: the longest prefix of the path that is a file.
fn file_of(path: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| &path[..end]).filter(|part| sources.contains_key(*part)).last().map(str::to_owned)
}

/// Collects the paths in one file that refer to this crate.
struct Paths<'a> {
    module: &'a str,
    found: BTreeSet<String>,
}

impl Paths<'_> {
    fn note(&mut self, path: &str) {
        let mut base: Vec<&str> = self.module.split("::").collect();
        let mut rest = path.split("::").peekable();
        match rest.next() {
            Some("crate" | "latchkey") => base.clear(),
            Some("self") => {}
            Some("super") => {
                base.pop();
                while rest.next_if_eq(&"super").is_some() {
                    base.pop();
                }
            }
            _ => return,
        }
        self.found.insert(base.into_iter().chain(rest).collect::<Vec<_>>().join("::"));
    }

    fn note_use(&mut self, before: &str, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.note_use(&format!("{before}{}::", path.ident), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_use(before, tree)),
            syn::UseTree::Name(name) => self.note(&format!("{before}{}", name.ident)),
            syn::UseTree::Rename(name) => self.note(&format!("{before}{}", name.ident)),
            syn::UseTree::Glob(_) => self.note(before.trim_end_matches("::")),
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_use("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&parts.join("::"));
        visit::visit_path(self, path);
    }

    /// Macro calls contain only tokens, so this searches their text.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let text = call.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        words.filter(|word| word.starts_with("crate::")).for_each(|path| self.note(path));
    }
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn rank(module: &str) -> usize {
    ROOMS.iter().position(|known| *known == room(module)).unwrap_or_else(|| panic!("{module} is not in ROOMS"))
}

#[test]
fn rooms_import_from_below_only() {
    let mut upward = Vec::new();
    for (module, imported) in imports() {
        let wrong = imported.iter().filter(|other| room(other) != room(&module) && rank(other) >= rank(&module));
        upward.extend(wrong.map(|other| format!("{module} imports {other}")));
        if WITHOUT_DATABASE.contains(&room(&module)) {
            upward
                .extend(imported.iter().filter(|other| room(other) == "db").map(|other| format!("{module}: {other}")));
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let mut left = imports();
    for (module, imported) in &mut left {
        // A module's imports from its parent do not count.
        imported.retain(|other| !module.starts_with(&format!("{other}::")));
    }
    while let Some(done) = left.iter().find(|(_, imported)| imported.is_empty()).map(|(module, _)| module.clone()) {
        left.remove(&done);
        for imported in left.values_mut() {
            imported.remove(&done);
        }
    }
    assert!(left.is_empty(), "these files import each other, or a file that does: {:#?}", left.keys());
}

#[test]
fn the_picture_in_the_documents_is_true() {
    let mut arrows: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (module, imported) in imports() {
        let others = imported.iter().filter(|other| room(other) != room(&module)).map(|other| rank(other));
        arrows.entry(rank(&module)).or_default().extend(others);
    }
    let line = |(room, others): (&usize, &BTreeSet<usize>)| {
        let others: Vec<&str> = others.iter().rev().map(|other| ROOMS[*other]).collect();
        format!("{:<10} → {}", ROOMS[*room], others.join(" ")).trim_end_matches(" → ").trim_end().to_owned() + "\n"
    };
    let picture: String = arrows.iter().rev().map(line).collect();
    let shown = fs::read_to_string("docs/architecture.md").unwrap();
    assert!(shown.contains(&picture), "docs/architecture.md should show:\n\n{picture}");
}
