//! The console in English.

use super::Words;
use crate::console::frame::flash::Flash;
use crate::console::frame::problem::{NotDone, Problem};
use crate::keys::advice::Advice;
use crate::types::error::PasswordFlaw;
use crate::types::event::{Action, Actor, Detail, Outcome};
use crate::types::key_state::KeyState;

/// English.
pub static EN: Words = Words {
    product: "Latchkey",
    skip_to_content: "Skip to content",
    navigation: "Console",
    nav_keys: "API Keys",
    uin: "UIN",
    language: "Language",
    theme: "Theme",
    theme_system: "System",
    theme_light: "Light",
    theme_dark: "Dark",
    sign_out: "Sign out",
    copied: "Copied.",
    copy_failed: "The browser does not allow copying here. The text is selected: press Ctrl+C or ⌘C.",
    copy: "Copy",
    print: "Print",
    download: "Download",
    next: "Next",
    cancel: "Cancel",
    confirm: "Confirm",
    save: "Save",
    edit: "Edit",
    please_correct: "That did not work yet:",
    back_to_start: "Back to the start",
    request_id: "Request ID",
    sign_in: "Sign in",
    account_name: "Account name",
    password: "Password",
    second_step: "Second step",
    code: "Authenticator code",
    code_hint: "The six digits your authenticator app shows for this account.",
    code_once_hint: "Six digits. Each code works once: if you have just used one, wait for the next.",
    recovery_code: "Recovery code",
    recovery_code_hint: "One of the ten codes you saved. Each works once; dashes, blanks and capitals do not matter.",
    use_recovery_code: "Use a recovery code instead",
    use_authenticator: "Use the authenticator app instead",
    start_over: "Start over",
    sign_in_refused: "The name or the password is wrong, or there were too many tries. Check both, wait a little, and try again.",
    code_refused: "This code is wrong or has been used already, or there were too many tries. Wait for the next code and try again.",
    signed_out: "You are signed out.",
    session_expired: "Your session has ended. Sign in again to go on.",
    setup: "Set up your account",
    setup_intro: "Choose the name and the password you will sign in with. In the next step you add an authenticator app.",
    setup_mfa: "Add a new authenticator",
    setup_mfa_intro: "Give the password of your account; in the next step you add a new authenticator app.",
    setup_step_1: "Step 1 of 3",
    setup_step_2: "Step 2 of 3",
    setup_step_3: "Step 3 of 3",
    new_password: "New password",
    password_advice: "At least 8 characters; 15 or more are better. A few unrelated words make a good one.",
    password_again: "New password again",
    password_differs: "The two passwords differ. Type both again.",
    password_wrong: "This is not the password of the account, or there were too many tries. Check it, wait a little, and try again.",
    name_invalid: "Choose a name of 1 to 64 characters, without a colon.",
    name_taken: "An account with this name exists already. Choose another name.",
    setup_authenticator: "Add your authenticator app",
    setup_authenticator_intro: "Scan the picture with an authenticator app, then type the code the app shows.",
    setup_code_hint: "Six digits; the app shows new ones every 30 seconds.",
    setup_code_refused: "This is not the code for this picture. Check that your device's clock is right, wait for the next code, and type that.",
    qr_label: "QR code for the authenticator app; the key beside it says the same",
    cannot_scan: "If you cannot scan it, type this key into the app:",
    open_in_app: "Open in an app on this device",
    recovery_codes: "Recovery codes",
    recovery_codes_intro: "If you lose your authenticator, each of these codes lets you sign in once in its place. They are shown only now: keep them where you keep other important papers.",
    codes_saved: "I have saved these codes",
    to_the_keys: "Go to the API keys",
    security: "Security",
    password_about: "Asked for when you sign in, and again before a SecretKey is shown or anything on this page is changed.",
    change_password: "Change password",
    change_password_effect: "From then on only the new password works. All other sessions end at once and have to sign in with it; this one goes on. Passkeys and API keys are not affected.",
    current_password: "Current password",
    authenticator: "Authenticator app",
    authenticator_about: "Its codes are asked for together with the password.",
    replace_authenticator: "Replace authenticator",
    replace_authenticator_title: "Replace the authenticator?",
    replace_authenticator_effect: "In the next step you add the new one. The old one works until you have typed a code of the new one; then all other sessions end.",
    old_authenticator_holds: "Until then, the old authenticator works as before.",
    keep_old_authenticator: "Keep the old authenticator",
    recovery_codes_about: "Each lets you sign in once without the authenticator.",
    new_recovery_codes: "New recovery codes",
    new_recovery_codes_title: "Make new recovery codes?",
    new_recovery_codes_effect: "You get ten new codes, shown only once. The old ones stop working at the same moment.",
    make_recovery_codes: "Make new codes",
    old_codes_void: "The codes you had before do not work any more.",
    to_security: "Back to Security",
    sessions: "Sessions",
    sessions_about: "Where this account is signed in now. If you do not know one of them, end it and change your password.",
    device: "Device",
    signed_in_at: "Signed in",
    last_seen: "Last seen",
    this_session: "This session",
    end: "End",
    end_title: "End this session?",
    end_effect: "It ends at once. Whoever uses it has to sign in again.",
    end_others: "End all others",
    end_others_title: "End all other sessions?",
    end_others_effect: "They end at once, and so do sign-ins that are half done. This session goes on.",
    sign_in_with_passkey: "Sign in with a passkey",
    passkey_refused: "This passkey was not accepted: it has been removed, the browser did not make sure it is you, it took too long, or there were too many tries. Try again, or sign in with password and code.",
    use_passkey: "Use a passkey",
    verify_passkey_refused: "This passkey was not accepted: it is not one of this account's, the browser did not make sure it is you, it took too long, or there were too many tries. Try again, or give password and code.",
    passkey_cancelled: "No passkey was used: it was cancelled, took too long, or there is none for this console here. Try again, or go on without one.",
    passkey_known: "This device has a passkey of this account already. Use another device, or remove the old one first.",
    passkey_failed: "The server could not be asked. Reload the page and try again.",
    passkeys: "Passkeys",
    passkeys_about: "A passkey on your phone, computer or security key stands in for password and code together: your fingerprint, face or PIN is enough. If you do not know one of them, remove it.",
    no_passkeys: "There is none. Password and code work all the same.",
    add_passkey: "Add a passkey",
    passkeys_full: "An account has at most 10 passkeys. Remove one to make room.",
    add_passkey_title: "Add a passkey?",
    add_passkey_effect: "Whoever has it, and is known to it, can sign in to this account and see its SecretKeys. In the next step your browser makes it.",
    new_passkey: "New passkey",
    new_passkey_intro: "Give it a name you will know it by, then follow your browser.",
    new_passkey_refused: "The passkey was not added: it took too long, the browser did not make sure it is you, or the passkey is in use already. Try again.",
    passkey_name: "Name",
    passkey_name_hint: "For example the device that keeps it.",
    passkey_name_invalid: "Choose a name of 1 to 64 characters on one line.",
    passkey_added_at: "Added",
    rename: "Rename",
    rename_passkey: "Rename this passkey",
    remove: "Remove",
    remove_passkey_title: "Remove this passkey?",
    remove_passkey_effect: "From then on it is not accepted any more. Sessions go on, also those signed in to with it. On the device itself the passkey stays until you delete it there.",
    keys_title: "API Key Management",
    last_sign_in: "Last sign-in before this one:",
    notes: "Notes",
    note_limit: "An account has at most 2 keys; disabled keys count.",
    note_identity: "A key stands for your account with all its permissions, just as your password does. Give its SecretKey to nobody.",
    note_rotate: "Keep keys in a safe place and change them regularly: create the new one, move your programs to it, then disable and delete the old one.",
    create_key: "Create Key",
    at_limit: "Both keys of this account are in use. Delete a disabled key to make room.",
    no_keys: "No keys yet",
    no_keys_hint: "Create a key to sign requests with. Its SecretKey stays masked until you ask to see it.",
    app_id: "APPID",
    key: "Key",
    created: "Creation Time",
    last_used: "Last Used",
    never: "Never",
    status: "Status",
    operation: "Operation",
    enabled: "Enabled",
    disabled: "Disabled",
    show: "Show",
    hide: "Hide",
    masked: "hidden",
    masks_itself: "Hidden again after a minute.",
    seconds_left: "Hidden again in {n} s",
    longer: "Longer",
    remark: "Remark",
    no_remark: "None",
    remark_invalid: "A remark is at most 1024 characters on one line. Shorten it, or take out line breaks and control characters.",
    verify_title: "Verify it is you",
    verify_intro: "The SecretKey gives full access to your account.",
    verify_proof: "To go on, give your password and a code from your authenticator app.",
    verify_code_refused: "This code is wrong or has been used already, or there were too many tries. Wait for the next code and try again.",
    verification_over: "Your last verification has run out since this page was opened. Give a code from your authenticator app too.",
    enable: "Enable",
    disable: "Disable",
    disable_title: "Disable this key?",
    disable_effect: "From the moment you confirm, every request signed with this key is refused. You can enable it again at any time.",
    calls_24h: "Calls in the last 24 hours",
    addresses_24h: "Different addresses in the last 24 hours",
    delete: "Delete",
    delete_title: "Delete this key?",
    delete_effect: "A deleted key cannot be retrieved: its SecretKey is destroyed, and programs that still use it have to be given another.",
    disabled_since: "Disabled since",
    refused_since: "Calls refused since then",
    all_calls: "All calls",
    no_calls_a_day: "No calls in the last 30 days.",
    calls_a_day: "Calls a day, the last 30 days",
    days_are_utc: "Days are those of UTC.",
    as_a_table: "As a table",
    day: "Day",
    accepted: "Accepted",
    refused: "Refused",
    latest_calls: "Latest calls",
    no_calls: "No call has been checked yet.",
    time: "Time",
    action: "Action",
    address: "Address",
    result: "Result",
    nav_records: "Operation Records",
    records_title: "Operation Records",
    from_day: "From",
    to_day: "To",
    event: "Event",
    any: "All",
    key_hint: "Choose or type a SecretId; deleted ones count.",
    deleted: "Deleted",
    who: "Who",
    filter: "Filter",
    clear_filter: "Clear the filter",
    download_csv: "Download as CSV",
    pages: "Pages",
    newer: "Newer",
    older: "Older",
    no_match: "No records match",
    no_match_hint: "Change the filter, or clear it to see all records of this account.",
    date_invalid: "This is not a date. Write it as year, month and day, such as 2026-11-24.",
    dates_reversed: "This day is before the first one. Change one of the two.",
    event_unknown: "There is no such event. Choose one from the list.",
    result_unknown: "There is no such result. Choose one from the list.",
    secret_id_invalid: "A SecretId is AKID and 32 letters or digits. Choose a key from the list, or paste its whole SecretId.",
    record_actor,
    record_action,
    record_detail,
    record_outcome,
    with_detail,
    why_refused: "Why was a call refused?",
    refused_title: "Refused call",
    refused_intro: "Every answer of the API carries a RequestId. Of calls signed with version 3 that were refused for one of your keys, this page shows what the server made of them, so that you can compare it with what your client made.",
    refused_unknown: "No refused call of your keys has this RequestId. The latest 100 of a key are kept, for 90 days, and of a flood not every one.",
    look_up: "Look up",
    arrived: "Arrived",
    signed_at: "Signed, by its timestamp",
    canonical_request: "Canonical request",
    string_to_sign: "String to sign",
    compare_with_yours: "Log both in your client and compare them line by line: the first line that differs is the cause. The last line of the canonical request is the hash of the body as it arrived.",
    advice_title: "What to look after",
    disable_all: "Disable all keys",
    disable_all_hint: "The emergency stop, for when a SecretKey may be in the wrong hands.",
    disable_all_title: "Disable all keys?",
    disable_all_effect: "From the moment you confirm, every request signed with any of these keys is refused. Programs that use them stop working. You can enable each key again at any time.",
    rotate_advice: "Older than 90 days: time to replace it",
    snippets: "Use this key",
    snippets_intro: "Filled in with the SecretId and the address of the API. The SecretKey is in none of them: they take it from an environment variable.",
    endpoint: "Endpoint",
    secret_variable: "SecretKey from the variable",
    snippet_environment: "Environment variables",
    snippet_environment_hint: "For a shell. The second line waits for the SecretKey: paste it and press Enter. It is not shown, and does not get into the shell's history.",
    snippet_nginx_hint: "Lets only requests signed with an enabled key through to the back end at 127.0.0.1:9000. Start Latchkey with --trusted-proxy 127.0.0.1/32, and let the back end compare the body's SHA-256 with X-Latchkey-Content-SHA256.",
    rotate_title: "Rotate this key",
    rotate_intro: "A new key takes its place in four steps. Take your time between them: this page always shows how far you are.",
    step_done: "Done",
    step_current: "Now",
    step_later: "Later",
    old_key: "Old key",
    new_key: "New key",
    rotate_create: "Create the new key",
    rotate_create_text: "Both keys work side by side, so nothing is interrupted.",
    rotate_full: "There is no room for a new key: this disabled one takes the second place. Delete it first; or enable it, to go on with it.",
    rotate_older: "Your other key is older than this one and enabled, so that one goes first: move its programs to this key.",
    rotate_the_older: "Rotate the older key",
    rotate_use: "Put it into use",
    rotate_use_text: "Give your programs the SecretId and SecretKey of the new key. Reload this page to see their calls move from the old key to the new one.",
    rotate_disable: "Disable the old key",
    rotate_disable_quiet: "The old key has had no accepted call in the last 24 hours. Disable it; should a program that runs rarely miss it, you can enable it again at once.",
    rotate_still_used: "The old key is still in use. Programs at these addresses would be refused from the moment you disable it.",
    rotate_not_used_yet: "The new key has not been used yet. Programs that run rarely may still have the old one.",
    rotate_enable_again: "If something stopped working, enable it again.",
    rotate_delete: "Delete the old key",
    rotate_delete_text: "Once nothing misses it. A deleted key cannot be retrieved, and its place is free for the next rotation.",
    advice,
    key_age,
    further_addresses,
    still_refused,
    refused_cause,
    since_disabled,
    try_again,
    most_calls,
    chart_bar,
    refusal,
    device_name,
    recovery_codes_left,
    last_sign_in_rest,
    flash,
    flaw,
    problem,
};

/// What there is to look after, and what to do about it.
fn advice(advice: &Advice) -> (String, &'static str) {
    match advice {
        Advice::NeverUsed(key) => (format!("Key {} has never been used.", key.short()), "Use this key"),
        Advice::Unused(key, days) => (format!("Key {} has not been used for {days} days.", key.short()), "Disable it"),
        Advice::Old(key, days) => (format!("Key {} is {days} days old.", key.short()), "Rotate it"),
        Advice::FullWithDisabled(key) => {
            (format!("Both places for keys are taken, one by the disabled key {}.", key.short()), "Delete it")
        }
        Advice::Full(_) => (
            "Both places for keys are taken, so none can be replaced before one is deleted.".to_owned(),
            "Go on with the rotation",
        ),
        Advice::FewRecoveryCodes(0) => ("No recovery code is left.".to_owned(), "Make new ones"),
        Advice::FewRecoveryCodes(1) => ("One recovery code is left.".to_owned(), "Make new ones"),
        Advice::FewRecoveryCodes(left) => (format!("{left} recovery codes are left."), "Make new ones"),
        Advice::OneDevice => (
            "One authenticator is all you can sign in with. If you lose it, only recovery codes let you in.".to_owned(),
            "Security",
        ),
    }
}

fn key_age(days: i64) -> String {
    match days {
        0 => "less than a day old".to_owned(),
        1 => "1 day old".to_owned(),
        days => format!("{days} days old"),
    }
}

fn further_addresses(number: i64) -> String {
    format!("and {number} more")
}

fn still_refused(calls: i64) -> String {
    match calls {
        1 => "One call has been refused since the key was disabled: some program still has it.".to_owned(),
        calls => format!("{calls} calls have been refused since the key was disabled: some program still has it."),
    }
}

fn device_name(browser: Option<&str>, system: Option<&str>) -> String {
    let browser = browser.unwrap_or("Unknown browser");
    system.map_or_else(|| browser.to_owned(), |system| format!("{browser} on {system}"))
}

fn recovery_codes_left(left: i64) -> String {
    match left {
        0 => "None is left: make new ones.".to_owned(),
        1 => "One is left: make new ones.".to_owned(),
        left => format!("{left} are left."),
    }
}

fn last_sign_in_rest(address: Option<&str>, failures: i64) -> String {
    let from = address.map(|address| format!(" from {address}")).unwrap_or_default();
    match failures {
        0 => format!("{from}. No failed tries since."),
        1 => format!("{from}. One failed try since."),
        many => format!("{from}. {many} failed tries since."),
    }
}

fn since_disabled(accepted: i64, refused: i64) -> String {
    format!("; since then {accepted} accepted, {refused} refused")
}

fn try_again(text: &str, seconds: i64) -> String {
    let wait = match seconds {
        ..=1 => "in a second".to_owned(),
        2..=119 => format!("in {seconds} seconds"),
        _ => format!("in {} minutes", (seconds + 59) / 60),
    };
    format!("{text} Try again {wait}.")
}

fn most_calls(many: i64) -> String {
    if many == 1 { "Most in a day: 1 call".to_owned() } else { format!("Most in a day: {many} calls") }
}

fn chart_bar(date: &str, accepted: i64, refused: i64) -> String {
    format!("{date}: {accepted} accepted, {refused} refused")
}

/// The stored reasons are `verifier::Refusal`'s.
fn refusal(stored: &str) -> &'static str {
    match stored {
        "disabled" => "Refused: the key was disabled",
        "disabled unread" => "Refused: the key was disabled; the body was too long to look at the signature",
        "deleted" => "Refused: the key was deleted",
        "wrong signature" => "Refused: wrong signature",
        "expired" => "Refused: clock too far off",
        "token" => "Refused: a temporary token was sent",
        _ => "Refused",
    }
}

fn record_actor(actor: &Actor) -> &'static str {
    match actor {
        Actor::Account => "The owner",
        Actor::Key(_) => "A program, with key",
        Actor::Operator => "The operator of this server",
        Actor::Stranger => "Somebody not signed in",
    }
}

fn record_action(action: Action) -> &'static str {
    match action {
        Action::AccountCreated => "Account created",
        Action::SetUp => "Account set up",
        Action::SetupLinkCreated => "Set-up link made",
        Action::PasswordAccepted => "Right password given",
        Action::SignIn => "Sign-in",
        Action::SignOut => "Sign-out",
        Action::Verification => "Identity verification",
        Action::MfaReset => "Authenticator removed",
        Action::ThrottleCleared => "Failed tries forgotten",
        Action::SessionsEnded => "Sessions ended",
        Action::KeyCreated => "Key created",
        Action::KeyRevealed => "SecretKey shown",
        Action::KeyDisabled => "Key disabled",
        Action::KeyEnabled => "Key enabled",
        Action::KeyDeleted => "Key deleted",
        Action::KeyRemarked => "Remark changed",
        Action::PasswordChanged => "Password changed",
        Action::TotpReplaced => "Authenticator replaced",
        Action::RecoveryCodesReplaced => "Recovery codes replaced",
        Action::SessionEnded => "Session ended",
        Action::RecordsDownloaded => "Records downloaded",
        Action::PasskeyAdded => "Passkey added",
        Action::PasskeyRenamed => "Passkey renamed",
        Action::PasskeyRemoved => "Passkey removed",
        Action::MasterKeyRotated => "Master key changed",
        Action::MasterKeyRetired => "Old master key retired",
    }
}

fn record_detail(detail: Detail) -> &'static str {
    match detail {
        Detail::Password => "wrong password, or too many tries",
        Detail::AddressWaits => "wrong password; after too many of them, this address has to wait",
        Detail::Code => "wrong or used code, or too many tries",
        Detail::PasswordAndTotp => "with password and authenticator code",
        Detail::PasswordAndRecoveryCode => "with password and recovery code",
        Detail::AtSetUp => "at the end of the set-up",
        Detail::OlderVersions => "all but the newest version",
        Detail::Passkey => "with a passkey",
        Detail::AllButTheAsking => "all but the one that asked for it",
        Detail::AllKeys => "all keys at once",
    }
}

fn record_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "Done",
        Outcome::Refused => "Refused",
    }
}

fn with_detail(outcome: &str, detail: &str) -> String {
    format!("{outcome}: {detail}")
}

/// Reason and cause as they are stored: `verifier::Refusal`'s and `diagnosis::Cause`'s.
fn refused_cause(reason: &str, cause: &str) -> &'static str {
    match (reason, cause) {
        (_, "date") => {
            "The date in the Credential is not the UTC date of X-TC-Timestamp. Make both from one clock, in UTC."
        }
        (_, "host") => {
            "Another host was signed than was sent. Sign the Host header as it is sent, port included; if a proxy stands in between, let it pass the header on unchanged."
        }
        (_, "content type") => {
            "Another Content-Type was signed than was sent. Set the header yourself and sign that very value; many HTTP libraries add a charset."
        }
        (_, "body") => {
            "Another body was signed than was sent. Sign the SHA-256 of the very bytes that are sent: serialise once, sign that, send that. With UNSIGNED-PAYLOAD, send X-TC-Content-SHA256 as well."
        }
        (_, "query") => {
            "Another query was signed than was sent. Sign the query string exactly as it stands in the address; for a POST without one, sign an empty line."
        }
        (_, "method") => "Another method was signed than was sent. Sign GET or POST, in upper case, as it is sent.",
        (_, "path") => "Another path was signed than was sent. Sign the path exactly as it stands in the address.",
        ("disabled", _) => "The signature is right, and the key is disabled. Enable it, or use another key.",
        ("expired", _) => {
            "The signature is right, and its timestamp is more than 300 seconds from the server's clock. Set the clock of the machine that signs."
        }
        ("token", _) => {
            "The signature is right, and a token was sent along. Leave X-TC-Token out: this server issues none."
        }
        _ => {
            "Host, Content-Type, body, query, method and path were each tried in the ways clients go wrong, and none explains the signature. Check the SecretKey first: another pair's, or cut off. Then compare below."
        }
    }
}

fn flash(flash: &Flash) -> String {
    match flash {
        Flash::KeyCreated(id) => {
            format!("Key {} was created and is enabled. Its SecretKey is shown after you verify it is you: press Show.", id.short())
        }
        Flash::KeyEnabled(id) => {
            format!("Key {} is enabled. Requests signed with it are accepted again.", id.short())
        }
        Flash::KeyDisabled(id) => {
            format!("Key {} is disabled. Every request signed with it is refused from now on.", id.short())
        }
        Flash::KeyDeleted(id) => format!("Key {} is deleted. Its SecretKey has been destroyed.", id.short()),
        Flash::KeyAlready(id, KeyState::Disabled) => {
            format!("Key {} was disabled already, perhaps in another tab. Nothing has changed.", id.short())
        }
        Flash::KeyAlready(id, _) => {
            format!("Key {} was enabled already, perhaps in another tab. Nothing has changed.", id.short())
        }
        Flash::KeyLimit => {
            "No key was created: the account already has 2 keys. Delete a disabled one to make room.".to_owned()
        }
        Flash::KeyNotDisabled(id) => {
            format!("Key {} was not deleted, because it is enabled. Disable it first, then delete it.", id.short())
        }
        Flash::RemarkSaved(id) => format!("The remark of key {} was saved.", id.short()),
        Flash::RecoveryCodesLeft(0) => {
            "You signed in with your last recovery code. Make new ones on the Security page; if your authenticator is lost, ask whoever runs this server for a new set-up link.".to_owned()
        }
        Flash::RecoveryCodesLeft(1) => "You signed in with a recovery code. One is left.".to_owned(),
        Flash::RecoveryCodesLeft(left) => format!("You signed in with a recovery code. {left} are left."),
        Flash::PasswordChanged => "The password was changed. All other sessions have ended.".to_owned(),
        Flash::TotpReplaced => {
            "The new authenticator is in use and the old one is not accepted any more. All other sessions have ended."
                .to_owned()
        }
        Flash::SessionEnded => "The session has ended.".to_owned(),
        Flash::OtherSessionsEnded => "All other sessions have ended.".to_owned(),
        Flash::AllKeysDisabled(0) => "No key was enabled. Nothing has changed.".to_owned(),
        Flash::AllKeysDisabled(1) => {
            "One key was enabled and is now disabled. Every request signed with it is refused from now on.".to_owned()
        }
        Flash::AllKeysDisabled(keys) => {
            format!("{keys} keys were enabled and are now disabled. Every request signed with them is refused from now on.")
        }
        Flash::PasskeyAdded => "The passkey was added. You can sign in with it from now on.".to_owned(),
        Flash::PasskeyRenamed => "The passkey was renamed.".to_owned(),
        Flash::PasskeyRemoved => {
            "The passkey was removed and is not accepted any more. Delete it on its device, too.".to_owned()
        }
        Flash::PasskeyLimit => {
            "No passkey was added: the account already has 10. Remove one to make room, and delete the new one on its device."
                .to_owned()
        }
    }
}

fn flaw(flaw: PasswordFlaw) -> &'static str {
    match flaw {
        PasswordFlaw::TooShort => "This password is shorter than 8 characters. Choose a longer one.",
        PasswordFlaw::TooLong => "This password is longer than 128 characters. Choose a shorter one.",
        PasswordFlaw::Common => {
            "This password is among the first that are guessed: a common word, name or pattern. Choose another."
        }
        PasswordFlaw::Name => "This password is made of the name of the account or the product. Choose another.",
    }
}

fn problem(problem: Problem) -> (&'static str, &'static str) {
    match problem {
        Problem::NotFound => ("Page not found", "There is no page at this address. Check it, or go back to the start."),
        Problem::KeyNotFound => {
            ("No such key", "There is no such key in this account. It may have been deleted, perhaps in another tab.")
        }
        Problem::SessionNotFound => (
            "No such session",
            "There is no such session of this account. It may have ended already, by itself or in another tab.",
        ),
        Problem::PasskeyNotFound => (
            "No such passkey",
            "There is no such passkey of this account. It may have been removed, perhaps in another tab.",
        ),
        Problem::LinkInvalid => (
            "This link cannot be used",
            "The set-up link has been used, is more than a day old, or is not complete. Ask whoever runs this server for a new one.",
        ),
        Problem::FormExpired => (
            "This form is out of date",
            "Nothing was changed. The page was open too long, or you have signed in or out since. Go back, reload the page, and send the form again.",
        ),
        Problem::FormMalformed => (
            "This form could not be read",
            "Nothing was changed. Something in the form is missing or too long. Go back, check what you entered, and send it again.",
        ),
        Problem::CrossSite => (
            "Sent from another site",
            "Nothing was changed. The form did not come from this console. Open the console yourself and try again.",
        ),
        Problem::MethodNotAllowed => (
            "Not possible in this way",
            "This address exists but cannot be called like that. Go back to the start and try again from there.",
        ),
        Problem::TooLarge => (
            "Too much at once",
            "Nothing was changed. What was sent is larger than this page takes. Shorten it and try again.",
        ),
        Problem::WrongHost => (
            "Another address, please",
            "This console does not answer under the name you used. Open it under the address that whoever runs the server gave you.",
        ),
        Problem::TooManyTries => {
            ("Too many tries", "There were too many tries from your address that failed or were not finished.")
        }
        Problem::Busy => (
            "Busy for a moment",
            "More passwords are waiting to be checked than the server takes on. Your form was not taken.",
        ),
        Problem::Unavailable => (
            "The database cannot be used at the moment",
            "Nothing can be shown or changed until it is back. If you were changing something, it may or may not have been done: look before you repeat it.",
        ),
        Problem::TimedOut => ("That took too long", "The request was not finished in time. Try again in a moment."),
        Problem::NotDone(why) => ("Not done", why_not_done(why)),
        Problem::Fault => (
            "Something went wrong here",
            "This is a fault of the server, not yours, and it has been logged. Try again; if it stays, tell whoever runs the server the request ID.",
        ),
    }
}

fn why_not_done(why: NotDone) -> &'static str {
    match why {
        NotDone::NameTaken => {
            "An account with this name has been made meanwhile, so nothing was set up. Open the set-up link again and choose another name."
        }
        NotDone::NameInvalid => EN.name_invalid,
        NotDone::PasswordUnfit(kind) => flaw(kind),
        NotDone::PasswordWrong => EN.password_wrong,
        NotDone::CodeRefused => EN.code_refused,
        NotDone::SignInRefused => EN.sign_in_refused,
        NotDone::PasskeyRefused => EN.verify_passkey_refused,
        NotDone::PasskeyLimit => EN.passkeys_full,
        NotDone::PasskeyNameInvalid => EN.passkey_name_invalid,
        NotDone::KeyLimit => {
            "Nothing was changed. The account already has 2 keys; disabled keys count. Delete a disabled one to make room."
        }
        NotDone::KeyNotDisabled => "Nothing was changed. The key is enabled. Disable it first, then delete it.",
        NotDone::KeyAlready => "Nothing has changed: the key is in this state already, perhaps by another tab.",
        NotDone::RemarkInvalid => EN.remark_invalid,
    }
}
