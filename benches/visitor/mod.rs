//! A console server, and visitors without script: for the benchmarks that work through pages.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

pub(crate) const PASSWORD: &str = "a quiet blue lantern";

/// A running server, which ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// The console's URL.
    pub(crate) base: String,
}

impl Server {
    /// Starts the real server on an existing database.
    pub(crate) fn start(data: &Path, database: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command.arg("--data-dir").arg(data).args(["--console", "127.0.0.1:0", "--api", "off"]).stderr(Stdio::null());
        if let Some(database) = database {
            command.args(["--database", database]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.strip_prefix("console ").unwrap().trim().to_owned();
        Self { child, base }
    }

    /// A field of the process's status, such as `VmRSS:`, in MiB.
    pub(crate) fn mib(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A visitor with cookies.
pub(crate) struct Visitor {
    client: Client,
    base: String,
    cookies: Vec<String>,
}

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl Visitor {
    pub(crate) fn new(client: &Client, base: &str) -> Self {
        Self { client: client.clone(), base: base.to_owned(), cookies: Vec::new() }
    }

    /// A client that follows no redirects.
    pub(crate) fn client() -> Client {
        Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    /// Submits a form of the page at `from`, and checks where it leads to.
    pub(crate) async fn submit(&mut self, from: &str, action: &str, fields: &[(&str, &str)], leads_to: &str) {
        let body = self.get(from).await.body;
        let token = body.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form: Vec<(&str, &str)> = [("form_token", token)].iter().chain(fields).copied().collect();
        let done = self.send(self.client.post(format!("{}{action}", self.base)).form(&form)).await;
        assert_eq!(done.location.as_deref(), Some(leads_to), "{action}: {}", done.status);
    }

    /// Performs the first step of a sign-in.
    pub(crate) async fn give_password(&mut self, name: &str) {
        self.submit("/login", "/login", &[("name", name), ("password", PASSWORD)], "/login/code").await;
    }

    /// Performs both steps of a sign-in.
    pub(crate) async fn sign_in(&mut self, name: &str, code: &str) {
        self.give_password(name).await;
        self.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", code)], "/cam/capi").await;
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.header(COOKIE, self.cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let name = pair.split('=').next().unwrap();
            self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
            self.cookies.push(pair.to_owned());
        }
        let location = response.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
        Answer { status: response.status().as_u16(), location, body: response.text().await.unwrap() }
    }
}

/// A percentile, in milliseconds.
pub(crate) fn percentile(taken: &mut [Duration], percent: usize) -> f64 {
    taken.sort_unstable();
    taken[(taken.len() * percent / 100).min(taken.len() - 1)].as_secs_f64() * 1000.0
}
