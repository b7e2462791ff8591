//! The real binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use latchkey::secret::totp::Seed;
use latchkey::types::clock::Clock;

use super::owner::PASSWORD;
use super::{Browser, Store};

/// A command with the data of `store` and these arguments.
pub fn latchkey(store: &Store, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.current_dir(store.dir.path()).env_clear();
    command.arg("--data-dir").arg(store.dir.path().join("data"));
    if let Some(database) = &store.database {
        command.args(["--database", database]);
    }
    command.args(arguments);
    command
}

/// Runs a command to its end, with `input` on its standard input.
pub fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Runs a command that must fail with `status`, and returns its only line on stderr.
#[track_caller]
pub fn failure(command: Command, status: i32) -> String {
    let output = run(command, "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    stderr
}

/// A running server.
pub struct Server {
    child: Child,
    pub console: SocketAddr,
    pub api: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(store: &Store) -> Self {
        Self::start_with(store, &[])
    }

    pub fn start_with(store: &Store, arguments: &[&str]) -> Self {
        let mut command = latchkey(store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
        command.args(arguments).env("RUST_LOG", "warn,sqlx=error");
        Self::spawn(command)
    }

    /// Runs a command that serves.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let console = address(&mut stdout, "console http://");
        let api = address(&mut stdout, "api http://");
        Self { child, console, api, stdout }
    }

    /// Reads the line with the setup link, which is printed if no account exists.
    pub fn read_setup_link(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.strip_prefix("setup ").expect("a set-up link").trim().to_owned()
    }

    /// The process ID.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Creates an account, and signs in to it.
    pub async fn signed_in(&self, store: &Store) -> (Browser, Seed) {
        let made = run(latchkey(store, &["account", "create", "root", "--password-stdin", "--json"]), PASSWORD);
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        let secret = made["totp_uri"].as_str().unwrap().split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let seed = Seed::from_bytes(&data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap()).unwrap();
        let mut browser = Browser::new(format!("http://localhost:{}", self.console.port()));
        browser.submit("/login", "/login", &[("name", "root"), ("password", PASSWORD)]).await.leads_to("/login/code");
        let code = seed.code_at(Clock::system().now());
        browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", &code)]).await.leads_to("/cam/capi");
        (browser, seed)
    }

    /// Reads the line with the address of another listener.
    pub fn read_address(&mut self, listener: &str) -> SocketAddr {
        address(&mut self.stdout, &format!("{listener} http://"))
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the server and waits until it has ended. Returns the exit status and the rest of stdout.
    pub fn terminate(&mut self) -> (i32, String) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(stdout: &mut impl BufRead, prefix: &str) -> SocketAddr {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line:?}"));
    address.split_whitespace().next().unwrap().replace("localhost", "127.0.0.1").parse().unwrap()
}
