//! `latchkey demo`: the whole product, to try without a phone.

mod story;

use std::fmt::Write as _;
use std::time::Duration;

use secrecy::SecretString;

use self::story::Person;
use super::output;
use super::serve::stop_signal;
use crate::app::App;
use crate::config::Settings;
use crate::operate::accounts;
use crate::scratch;
use crate::secret::totp::Seed;
use crate::serve::{self, Listeners};
use crate::start_error::StartError;
use crate::types::clock::Clock;
use crate::types::random;

const NAME: &str = "demo";
const STEP_MILLIS: i64 = 30_000;

/// Serves from a temporary directory with one complete account, and prints its current code until stopped.
pub(super) async fn demo(settings: Settings) -> Result<(), StartError> {
    let shutdown = stop_signal()?;
    let failed = |cause| StartError::Io { what: "cannot create a directory for the demo", cause };
    let directory = scratch::directory("latchkey-demo-").map_err(failed)?;
    let settings = settings.for_demo(directory.path().to_owned());
    let listeners = Listeners::bind(&settings)?;
    let password = random::alphanumeric(12);
    let seed = live(settings.clone(), &password).await?;
    let app = App::open(settings, Clock::system()).await?;

    introduce(&app, &listeners, &password)?;
    let codes = tokio::spawn(show_codes(app.clock.clone(), seed));
    let ended = serve::run(app, listeners, None, shutdown).await;
    codes.abort();
    let removed = directory.close().map_err(|cause| StartError::Io { what: "cannot remove the demo's data", cause });
    say("\nThe demo is over; its data is gone.\n");
    ended.and(removed)
}

/// Creates the account and lives the story, which ends now. Returns the seed in the account's authenticator.
async fn live(settings: Settings, password: &str) -> Result<Seed, StartError> {
    let start = Clock::system().now().minus(story::DAY * story::DAYS);
    let app = App::open(settings, Clock::manual(start)).await?;
    let password = SecretString::from(password.to_owned());
    let seed = accounts::create_complete(&app, NAME, password.clone()).await?.seed;
    let person = Person { name: NAME, password: &password, seed: &seed };
    story::live(&app, &person).await?;
    app.close().await;
    Ok(seed)
}

fn introduce(app: &App, listeners: &Listeners, password: &str) -> Result<(), StartError> {
    let console = serve::public_url(&app.settings, listeners);
    let mut text = String::from(
        "\n  LATCHKEY DEMO. For trying out only: the account's password and codes are shown on this\n  \
         terminal, and everything is deleted when you press Ctrl-C.\n\n",
    );
    let _ = write!(text, "  open      {console}\n  name      {NAME}\n  password  {password}\n");
    if let Some(api) = &listeners.api {
        let _ = writeln!(text, "  API       http://{}", api.address);
    }
    text.push_str("\n  Each code works once, so wait for the next if you have just used one.\n\n");
    output::write(text.as_bytes())
}

/// Prints the current code, and each following one when it becomes valid.
async fn show_codes(clock: Clock, seed: Seed) {
    loop {
        let now = clock.now();
        let left = STEP_MILLIS - now.0.rem_euclid(STEP_MILLIS);
        say(&format!("  code      {}  (for {} s)\n", seed.code_at(now), left.div_euclid(1000) + 1));
        tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
    }
}

fn say(text: &str) {
    // The demo continues even if nobody reads its output.
    let _ = output::write(text.as_bytes());
}
