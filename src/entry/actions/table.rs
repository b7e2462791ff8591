//! The table of all actions. To add one, write its function and add a row here.

use futures_util::future::BoxFuture;

use super::account::{describe_safe_auth_flag, get_account_summary, get_caller_identity, get_user_app_id};
use super::call::{ActionCall, ActionOutput};
use super::keys;
use crate::entry::api_error::{ApiError, for_message};

const CAM: &str = "2019-01-16";
const STS: &str = "2018-08-13";

/// An action of the API.
struct Action {
    /// The version, which identifies the service. The service's name is ignored, because clients sign the first label
    /// of their endpoint's name.
    version: &'static str,
    name: &'static str,
    run: Run,
}

/// The function that runs an action.
enum Run {
    /// A synchronous function. `GetCallerIdentity`, by far the most frequent call, needs no allocation this way.
    AtOnce(fn(&ActionCall<'_>) -> Result<ActionOutput, ApiError>),
    /// An asynchronous function, which waits for the database.
    Waiting(for<'a> fn(ActionCall<'a>) -> BoxFuture<'a, Result<ActionOutput, ApiError>>),
}

/// In the order in which they are searched.
static ACTIONS: [Action; 10] = [
    Action { version: STS, name: "GetCallerIdentity", run: Run::AtOnce(get_caller_identity) },
    Action { version: CAM, name: "ListAccessKeys", run: Run::Waiting(|call| Box::pin(keys::list_access_keys(call))) },
    Action { version: CAM, name: "CreateAccessKey", run: Run::Waiting(|call| Box::pin(keys::create_access_key(call))) },
    Action { version: CAM, name: "UpdateAccessKey", run: Run::Waiting(|call| Box::pin(keys::update_access_key(call))) },
    Action { version: CAM, name: "DeleteAccessKey", run: Run::Waiting(|call| Box::pin(keys::delete_access_key(call))) },
    Action {
        version: CAM,
        name: "GetSecurityLastUsed",
        run: Run::Waiting(|call| Box::pin(keys::get_security_last_used(call))),
    },
    Action { version: CAM, name: "GetUserAppId", run: Run::AtOnce(get_user_app_id) },
    Action { version: CAM, name: "GetAccountSummary", run: Run::AtOnce(get_account_summary) },
    Action { version: CAM, name: "DescribeSafeAuthFlag", run: Run::AtOnce(describe_safe_auth_flag) },
    Action { version: STS, name: "QueryApiKey", run: Run::Waiting(|call| Box::pin(keys::query_api_key(call))) },
];

/// The name of an action, if there is one with this name. Any other name is neither stored nor logged.
pub(super) fn known(sent: &str) -> Option<&'static str> {
    ACTIONS.iter().map(|action| action.name).find(|name| *name == sent)
}

/// Runs the action that a checked request asks for. `version` and `name` are as sent.
pub(super) async fn run(version: Option<&str>, name: &str, call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    let version = version.filter(|version| !version.is_empty()).ok_or(ApiError::MissingParameter("Version"))?;
    if name.is_empty() {
        return Err(ApiError::MissingParameter("Action"));
    }
    match ACTIONS.iter().find(|action| action.name == name && action.version == version) {
        Some(Action { run: Run::AtOnce(run), .. }) => run(&call),
        Some(Action { run: Run::Waiting(run), .. }) => run(call).await,
        None if ACTIONS.iter().any(|action| action.version == version) => {
            Err(ApiError::InvalidAction(for_message(name)))
        }
        None => Err(ApiError::NoSuchVersion(version.chars().take(32).collect())),
    }
}
