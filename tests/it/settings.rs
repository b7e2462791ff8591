//! Settings as they are declared, listed in the help, and described in the documentation and the packaged file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use latchkey::config::{SETTINGS, Setting};

use crate::support::process::{Server, failure, latchkey, run};
use crate::support::{Engine, Store};

/// Looks like the variable of a setting, but has no flag, so that it does not appear in a list of processes.
const NOT_A_SETTING: &str = "LATCHKEY_MASTER_KEY";

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The columns "Setting" and "Default" of the documented tables.
fn documented() -> Vec<(String, String)> {
    let page = read("docs/operate/settings.md");
    let mut rows = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        in_table = line.starts_with('|') && (in_table || (cells[1] == "Setting" && cells[2] == "Default"));
        if in_table && !matches!(&*cells[1], "Setting" | "---") {
            rows.push((cells[1].clone(), cells[2].clone()));
        }
    }
    rows
}

#[test]
fn the_documentation_has_each_setting_with_its_default() {
    let declared =
        |setting: &Setting| (setting.name.to_owned(), setting.shown_default().unwrap_or_default().to_owned());
    let mut declared: Vec<_> = SETTINGS.iter().map(declared).collect();
    let mut documented = documented();
    declared.sort();
    documented.sort();
    assert_eq!(documented, declared, "left: docs/operate/settings.md, right: src/config/settings.rs");
}

#[test]
fn no_page_and_no_packaged_file_names_a_variable_that_is_none() {
    let variables: BTreeSet<String> = SETTINGS.iter().map(Setting::variable).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_dir = |dir: &str| std::fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<PathBuf> = ["docs/operate", "packaging", "packaging/deb"].into_iter().flat_map(in_dir).collect();
    for page in pages.iter().filter(|page| page.is_file()) {
        let text = std::fs::read_to_string(page).unwrap();
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        for word in words.filter(|word| word.starts_with("LATCHKEY_") && *word != NOT_A_SETTING) {
            assert!(variables.contains(word), "{word} in {}", page.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_lists_each_setting_with_flag_variable_and_default() {
    let store = Store::new(Engine::Sqlite).await;
    let help = String::from_utf8(run(latchkey(&store, &["serve", "--help"]), "").stdout).unwrap();
    let (_, help) = help.split_once("Settings:\n").unwrap();
    let parts: Vec<&str> = help.split("\n      --").map(|part| part.trim_start().trim_start_matches("--")).collect();
    assert_eq!(parts.len(), SETTINGS.len(), "{help}");
    for (setting, part) in SETTINGS.iter().zip(parts) {
        assert!(part.starts_with(&format!("{} <", &setting.flag()[2..])), "{part}");
        assert!(part.contains(&format!("[env: {}", setting.variable())), "{part}");
        let default = setting.shown_default().map(|default| format!("[default: {default}]"));
        let shown = part.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(default.is_none_or(|default| shown.contains(&default)), "{part}");
    }
}

/// Checks that a text is accepted as `latchkey.toml`.
async fn is_taken(text: &str) {
    let store = Store::new(Engine::Sqlite).await;
    std::fs::write(store.dir.path().join("latchkey.toml"), text).unwrap();
    let output = run(latchkey(&store, &["migrate"]), "");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_packaged_file_is_taken_with_each_of_its_examples() {
    let packaged = read("packaging/latchkey.toml");
    let examples: Vec<&str> = packaged
        .lines()
        .map(|line| line.trim_start_matches('#'))
        .filter(|line| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')))
        .collect();
    assert!(examples.len() > 4, "{examples:?}");
    is_taken(&packaged).await;
    is_taken(&examples.join("\n")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_documentation_are_taken() {
    let page = read("docs/operate/settings.md");
    let (_, example) = page.split_once("```toml\n").unwrap();
    is_taken(example.split_once("```").unwrap().0).await;

    let (_, ways) = page.split_once("| Flag | Variable | In the file |\n").unwrap();
    for row in ways.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (flag, (variable, value), in_file) = (cells[1], cells[2].split_once('=').unwrap(), cells[3]);
        is_taken(in_file).await;
        let store = Store::new(Engine::Sqlite).await;
        let flags: Vec<&str> = ["migrate"].into_iter().chain(flag.split(' ')).collect();
        assert!(run(latchkey(&store, &flags), "").status.success(), "{flag}");
        let mut command = latchkey(&store, &["migrate"]);
        command.env(variable, value);
        assert!(run(command, "").status.success(), "{variable}={value}");
        // The variable is read.
        let mut command = latchkey(&store, &["migrate"]);
        command.env(variable, "nonsense");
        failure(command, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_named_wherever_it_stands() {
    let store = Store::new(Engine::Sqlite).await;
    let by_flag = failure(latchkey(&store, &["migrate", "--session-idle", "soon"]), 2);
    assert!(by_flag.contains("--session-idle") && by_flag.contains("length of time"), "{by_flag}");
    let mut command = latchkey(&store, &["migrate"]);
    command.env("LATCHKEY_SESSION_IDLE", "soon");
    let by_variable = failure(command, 2);
    assert!(by_variable.contains("--session-idle") && by_variable.contains("length of time"), "{by_variable}");
    std::fs::write(store.dir.path().join("latchkey.toml"), "session_idle = \"soon\"\n").unwrap();
    let in_file = failure(latchkey(&store, &["migrate"]), 1);
    assert!(in_file.contains("latchkey.toml: session_idle: expected a length of time"), "{in_file}");
}

/// The log of a server that is started with these arguments and this file, after a request to its API.
async fn log_of(arguments: &[&str], file: &str) -> String {
    let store = Store::new(Engine::Sqlite).await;
    std::fs::write(store.dir.path().join("latchkey.toml"), file).unwrap();
    let log = store.dir.path().join("log");
    let mut command = latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    command.args(arguments).stderr(std::fs::File::create(&log).unwrap());
    let mut server = Server::spawn(command);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{}/readyz", server.api)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    server.terminate();
    std::fs::read_to_string(log).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_json_unless_text_is_asked_for() {
    for (arguments, file) in [(vec![], ""), (vec!["--log-format", "json"], "log_format = \"text\"")] {
        let log = log_of(&arguments, file).await;
        let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let answered = lines.into_iter().find(|line| line["message"] == "answered").unwrap();
        assert_eq!((&answered["path"], &answered["status"]), (&"/readyz".into(), &200.into()));
    }
    for (arguments, file) in [(vec!["--log-format", "text"], ""), (vec![], "log_format = \"text\"")] {
        let log = log_of(&arguments, file).await;
        let answered = log.lines().find(|line| line.contains("answered")).unwrap();
        for part in [" INFO request{request_id=", ": answered ", "path=\"/readyz\"", " status=200 "] {
            assert!(answered.contains(part), "{part:?} in {answered:?}");
        }
        assert!(log.lines().all(|line| line.starts_with("20")) && !log.contains('\u{1b}'), "{log}");
    }
    let store = Store::new(Engine::Sqlite).await;
    let said = failure(latchkey(&store, &["migrate", "--log-format", "xml"]), 2);
    assert!(said.contains("--log-format") && said.contains("auto, text, json"), "{said}");
}
