//! The console is modelled on the page on which a public cloud's root accounts manage their API keys. That page has a
//! guide. Each step of the guide can be followed here, by the same labels.

use crate::support::browser::key_ids;
use crate::support::{Browser, Engine, Owner, Page, Product};

/// The labels of the guide in one language.
struct Labels {
    language: &'static str,
    root_account: &'static str,
    access_key: &'static str,
    manage_api_key: &'static str,
    title: &'static str,
    create: &'static str,
    key: &'static str,
    show: &'static str,
    verification: &'static str,
    operation: &'static str,
    enable: &'static str,
    disable: &'static str,
    delete: &'static str,
    confirm: &'static str,
    not_while_enabled: &'static str,
    limit: &'static str,
}

const LABELS: [Labels; 3] = [
    Labels {
        language: "en",
        root_account: "Root account",
        access_key: "Access Key",
        manage_api_key: "Manage API Key",
        title: "API Key Management",
        create: "Create Key",
        key: "Key",
        show: "Show",
        verification: "Verify your identity",
        operation: "Operation",
        enable: "Enable",
        disable: "Disable",
        delete: "Delete",
        confirm: "Confirm",
        not_while_enabled: "because it is enabled. Disable it first",
        limit: "A root account can have at most two keys.",
    },
    Labels {
        language: "zh-CN",
        root_account: "主账号",
        access_key: "访问密钥",
        manage_api_key: "API 密钥管理",
        title: "API 密钥管理",
        create: "新建密钥",
        key: "密钥",
        show: "显示",
        verification: "身份验证",
        operation: "操作",
        enable: "启用",
        disable: "禁用",
        delete: "删除",
        confirm: "确定",
        not_while_enabled: "请先禁用",
        limit: "一个主账号最多可拥有 2 个密钥。",
    },
    Labels {
        language: "ja",
        root_account: "ルートアカウント",
        access_key: "アクセスキー",
        manage_api_key: "APIキー管理",
        title: "APIキー管理",
        create: "キーを作成",
        key: "キー",
        show: "表示",
        verification: "本人確認",
        operation: "操作",
        enable: "有効化",
        disable: "無効化",
        delete: "削除",
        confirm: "確定",
        not_while_enabled: "無効にしてから削除してください",
        limit: "1つのルートアカウントで作成できるキーは2個までです。",
    },
];

/// A step of the guide.
struct Step {
    /// What the guide says.
    says: &'static str,
    /// The part of the page where the step is taken.
    on: String,
    /// What it shows, in this order.
    shows: Vec<String>,
    /// What it does not offer.
    lacks: Vec<String>,
}

impl Step {
    #[track_caller]
    fn check(&self, language: &str) {
        let mut rest = &*self.on;
        for what in &self.shows {
            let at =
                rest.find(&**what).unwrap_or_else(|| panic!("{language}: {}: no {what} in {}", self.says, self.on));
            rest = &rest[at + what.len()..];
        }
        for what in &self.lacks {
            assert!(!self.on.contains(&**what), "{language}: {}: {what} in {}", self.says, self.on);
        }
    }
}

fn button(label: &str) -> String {
    format!(">{label}</button>")
}

fn row(page: &Page, key: &str) -> String {
    page.between(&format!("<tr id=\"{key}\">"), "</tr>").expect("the key is listed")
}

fn pop_up(page: &Page, act: &str, key: &str) -> String {
    page.between(&format!("<dialog id=\"{act}-{key}\""), "</dialog>").expect("there is a pop-up")
}

/// The pages that a reader of the guide comes to.
struct Pages {
    /// Without keys.
    empty: Page,
    /// With an enabled key.
    enabled: Page,
    /// With the same key, disabled.
    disabled: Page,
    /// With that key and an enabled one.
    two: Page,
    /// After an attempt to delete the enabled one.
    kept: Page,
    /// After the deletion of the disabled one.
    deleted: Page,
    old: String,
    new: String,
}

impl Pages {
    async fn walk(browser: &mut Browser) -> Self {
        let empty = browser.get("/cam/capi").await;
        browser.operate("/cam/capi/keys", &[]).await;
        let enabled = browser.get("/cam/capi").await;
        let old = key_ids(&enabled).remove(0);
        browser.operate(&format!("/cam/capi/keys/{old}/disable"), &[]).await;
        let disabled = browser.get("/cam/capi").await;
        browser.operate("/cam/capi/keys", &[]).await;
        let two = browser.get("/cam/capi").await;
        let new = key_ids(&two).into_iter().find(|key| *key != old).unwrap();
        let kept = browser.operate(&format!("/cam/capi/keys/{new}/delete"), &[]).await;
        let deleted = browser.operate(&format!("/cam/capi/keys/{old}/delete"), &[]).await;
        Self { empty, enabled, disabled, two, kept, deleted, old, new }
    }
}

fn steps(labels: &Labels, pages: &Pages) -> Vec<Step> {
    let (old, new) = (&*pages.old, &*pages.new);
    let column = |label: &str| format!("<th scope=\"col\">{label}</th>");
    let step = |says, on: String, shows: Vec<String>| Step { says, on, shows, lacks: Vec::new() };
    vec![
        step(
            "A root account logs in and finds API Key Management under Access Key, Manage API Key.",
            pages.empty.body.clone(),
            vec![
                format!("class=\"uin\">{}", labels.root_account),
                format!(">{}</span>", labels.access_key),
                format!("aria-current=\"page\">{}</a>", labels.manage_api_key),
                format!("<h1>{}</h1>", labels.title),
            ],
        ),
        step(
            "Create Key is on the left, above the list.",
            pages.enabled.body.clone(),
            vec![format!("<h1>{}</h1>", labels.title), button(labels.create), "<table class=\"keys\">".to_owned()],
        ),
        step(
            "The list shows SecretId and SecretKey in the column Key.",
            pages.enabled.body.clone(),
            vec![
                column(labels.key),
                format!("<tr id=\"{old}\">"),
                format!("data-label=\"{}\"", labels.key),
                "<dt>SecretId</dt>".to_owned(),
                format!(">{old}</code>"),
                "<dt>SecretKey</dt>".to_owned(),
                "</td>".to_owned(),
            ],
        ),
        step(
            "Show is beside the SecretKey.",
            row(&pages.enabled, old),
            vec!["<dt>SecretKey</dt>".to_owned(), button(labels.show), "</dd>".to_owned()],
        ),
        step(
            "Show asks for identity verification.",
            pop_up(&pages.enabled, "show", old),
            vec![
                labels.verification.to_owned(),
                "name=\"password\"".to_owned(),
                "name=\"code\"".to_owned(),
                button(labels.show),
            ],
        ),
        Step {
            says: "The column Operation has Disable for an enabled key.",
            on: row(&pages.enabled, old),
            shows: vec![format!("data-label=\"{}\"", labels.operation), button(labels.disable)],
            lacks: vec![button(labels.enable), button(labels.delete)],
        },
        step(
            "A pop-up asks, and Confirm disables the key.",
            pop_up(&pages.enabled, "disable", old),
            vec![old.to_owned(), button(labels.confirm)],
        ),
        Step {
            says: "A disabled key has Enable and Delete.",
            on: row(&pages.disabled, old),
            shows: vec![format!("data-label=\"{}\"", labels.operation), button(labels.enable), button(labels.delete)],
            lacks: vec![button(labels.disable)],
        },
        step(
            "Delete asks in a pop-up, and Confirm deletes the key.",
            pop_up(&pages.disabled, "delete", old),
            vec![old.to_owned(), button(labels.confirm)],
        ),
        Step {
            says: "A deleted key is gone.",
            on: pages.deleted.body.clone(),
            shows: vec![format!("<tr id=\"{new}\">")],
            lacks: vec![format!("<tr id=\"{old}\">")],
        },
        step(
            "Only a disabled key can be deleted.",
            pages.kept.body.clone(),
            vec![labels.not_while_enabled.to_owned(), format!("<tr id=\"{new}\">")],
        ),
        step(
            "A root account has at most two keys.",
            pages.two.body.clone(),
            vec![
                " disabled aria-describedby=\"limit\"".to_owned(),
                button(labels.create),
                format!("id=\"limit\" class=\"hint\">{}", labels.limit),
            ],
        ),
    ]
}

#[apply(on_both_engines!)]
async fn each_step_of_the_guide_can_be_followed_in_each_language(engine: Engine) {
    let product = Product::start(engine).await;
    for labels in &LABELS {
        let (_, mut browser): (Owner, Browser) = product.signed_in(labels.language).await;
        browser.cookies.insert("__Host-latchkey-language".to_owned(), labels.language.to_owned());
        let pages = Pages::walk(&mut browser).await;
        for step in steps(labels, &pages) {
            step.check(labels.language);
        }
    }
}
