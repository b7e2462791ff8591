//! A browser without scripts: it has cookies, sends forms with their hidden token, and follows redirects only when
//! asked to.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

#[derive(Clone)]
pub struct Browser {
    client: Client,
    base: String,
    pub cookies: BTreeMap<String, String>,
}

/// A complete response.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub location: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Page {
    /// The value of the first hidden form token.
    pub fn form_token(&self) -> String {
        self.between("name=\"form_token\" value=\"", "\"").unwrap_or_default()
    }

    pub fn between(&self, before: &str, after: &str) -> Option<String> {
        let start = self.body.find(before)? + before.len();
        let end = start + self.body[start..].find(after)?;
        Some(self.body[start..end].to_owned())
    }

    /// The shown SecretKey, if there is one.
    pub fn secret(&self) -> Option<String> {
        self.between("class=\"secret\" tabindex=\"-1\">", "<")
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        assert!(self.body.contains(words), "expected {words:?} in {} {}", self.status, self.body);
        self
    }

    #[track_caller]
    pub fn does_not_say(&self, words: &str) -> &Self {
        assert!(!self.body.contains(words), "did not expect {words:?} in {}", self.body);
        self
    }

    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{:?} {}", self.location, self.body);
        self
    }

    /// Checks that this is a page of an account, which browsers must not keep for the Back button.
    #[track_caller]
    pub fn is_account_page(&self) -> &Self {
        self.is(203)
    }

    #[track_caller]
    pub fn leads_to(&self, location: &str) -> &Self {
        assert_eq!((self.status.as_u16(), self.location.as_deref()), (303, Some(location)), "{}", self.body);
        self
    }
}

impl Browser {
    pub fn new(base: String) -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { client, base, cookies: BTreeMap::new() }
    }

    /// The same browser, for another address of the installation.
    pub fn at(&self, base: String) -> Self {
        Self { cookies: self.cookies.clone(), ..Self::new(base) }
    }

    /// A request with this browser's cookies, which can be changed before [`Browser::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.client.request(method, format!("{}{path}", self.base));
        if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) }
    }

    pub async fn send(&mut self, request: RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        self.keep_cookies(&response);
        let location = response.headers().get(LOCATION).map(|location| location.to_str().unwrap().to_owned());
        let (status, headers) = (response.status(), response.headers().clone());
        // A stream of events does not end by itself.
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if is_stream { String::new() } else { response.text().await.unwrap() };
        Page { status, location, headers, body }
    }

    fn keep_cookies(&mut self, response: &Response) {
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.send(request).await
    }

    /// Posts a form as the page at `from` would.
    pub async fn submit(&mut self, from: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(from).await.form_token();
        self.post(action, &token, fields).await
    }

    /// Posts a form with this token.
    pub async fn post(&mut self, action: &str, token: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = vec![("form_token", token)];
        form.extend_from_slice(fields);
        let request = self.request(Method::POST, action).form(&form);
        self.send(request).await
    }

    /// Posts a form of the keys page, and returns the page that it leads to.
    pub async fn operate(&mut self, action: &str, fields: &[(&str, &str)]) -> Page {
        let done = self.submit("/cam/capi", action, fields).await;
        assert_eq!(done.status.as_u16(), 303, "{action}: {}", done.body);
        self.get("/cam/capi").await
    }

    /// Creates a key and returns its SecretId.
    pub async fn create_key(&mut self) -> String {
        let page = self.operate("/cam/capi/keys", &[]).await;
        page.says("was created");
        key_ids(&page).last().unwrap().clone()
    }

    pub fn session_cookie(&self) -> Option<&String> {
        self.cookies.get("__Host-latchkey-session")
    }
}

/// The SecretId of each key on a page, in order.
pub fn key_ids(page: &Page) -> Vec<String> {
    page.body.split("<code id=\"id-").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}
