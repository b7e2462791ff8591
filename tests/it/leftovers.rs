//! Files that killed processes leave behind are removed by the next process; files in use are not.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::process::{latchkey, run};
use crate::support::{Engine, Store};

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A restore is killed while it reads; a start and a backup remove what it leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_leaves_nothing_to_the_next_process() {
    let store = Store::new(Engine::Sqlite).await;
    let data = store.dir.path().join("data");
    let pipe = store.dir.path().join("pipe");
    let temporary = || names(&data).into_iter().filter(|name| name.starts_with(".latchkey-")).count();
    for next in [["migrate"].as_slice(), &["backup", "data/copy.db"]] {
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let (database, aside) = (data.join("latchkey.db"), store.dir.path().join("aside"));
        if database.exists() {
            // A restore refuses an existing database.
            fs::rename(&database, &aside).unwrap();
        }
        let mut child = latchkey(&store, &["restore", "pipe"]).stderr(Stdio::null()).spawn().unwrap();
        // More than the pipe holds: once all is written, some has been read, and the copy has begun.
        let mut feed = File::options().write(true).open(&pipe).unwrap();
        feed.write_all(&vec![7; 1 << 20]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(&pipe).unwrap();
        assert_eq!(temporary(), 1, "{:?}", names(&data));
        if aside.exists() {
            fs::rename(&aside, &database).unwrap();
        }
        let output = run(latchkey(&store, next), "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(temporary(), 0, "{:?}", names(&data));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_ours_and_held_by_nobody_is_removed() {
    let store = Store::new(Engine::Sqlite).await;
    let data = store.dir.path().join("data");
    assert!(run(latchkey(&store, &["migrate"]), "").status.success());
    for left in [".latchkey-a.tmp", ".latchkey-a.tmp-wal", ".latchkey-b.tmp-shm"] {
        fs::write(data.join(left), "left").unwrap();
    }
    for kept in [".latchkey-held.tmp", ".latchkey-held.tmp-wal", "latchkey-a.tmp", ".latchkey-notes", ".tmpAbCdEf"] {
        fs::write(data.join(kept), "kept").unwrap();
    }
    fs::write(store.dir.path().join("precious"), "kept").unwrap();
    std::os::unix::fs::symlink(store.dir.path().join("precious"), data.join(".latchkey-link.tmp")).unwrap();
    let held = File::open(data.join(".latchkey-held.tmp")).unwrap();
    held.lock().unwrap();
    for command in [["migrate"].as_slice(), &["backup", "data/copy.db"], &["master-key", "rotate"]] {
        assert!(run(latchkey(&store, command), "").status.success());
        assert_eq!(
            names(&data)
                .iter()
                .map(String::as_str)
                .filter(|name| name.contains("tmp") || name.contains("notes"))
                .collect::<Vec<_>>(),
            [
                ".latchkey-held.tmp",
                ".latchkey-held.tmp-wal",
                ".latchkey-link.tmp",
                ".latchkey-notes",
                ".tmpAbCdEf",
                "latchkey-a.tmp"
            ]
        );
        fs::write(data.join(".latchkey-a.tmp"), "left").unwrap();
    }
    assert_eq!(fs::read_to_string(store.dir.path().join("precious")).unwrap(), "kept");
    drop(held);
    assert!(run(latchkey(&store, &["migrate"]), "").status.success());
    assert!(!data.join(".latchkey-held.tmp").exists());
}

/// A demo that is ready.
fn demo(directory: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.current_dir(directory).env_clear().env("TMPDIR", directory);
    command.args(["demo", "--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().trim_start().starts_with("password")));
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_demo_is_cleared_away_by_the_next_and_a_running_one_is_not() {
    let store = Store::new(Engine::Sqlite).await;
    let directory = store.dir.path();
    let (mut killed, mut running) = (demo(directory), demo(directory));
    assert_eq!(names(directory).len(), 2, "{:?}", names(directory));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(names(directory).len(), 2);
    let mut next = demo(directory);
    assert_eq!(names(directory).len(), 2, "{:?}", names(directory));
    for child in [&mut running, &mut next] {
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::INT).unwrap();
        // Read its final output.
        std::io::copy(child.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    assert!(names(directory).is_empty(), "{:?}", names(directory));
}
