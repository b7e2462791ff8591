//! Every action there is. To add one, write its function and add a line here.

use futures_util::future::BoxFuture;

use super::account::{describe_safe_auth_flag, get_account_summary, get_caller_identity, get_user_app_id};
use super::call::{ActionCall, ActionOutput};
use super::keys;
use crate::entry::api_error::{ApiError, for_message};

const CAM: &str = "2019-01-16";
const STS: &str = "2018-08-13";

/// An action of the API.
struct Action {
    /// Its service, by that service's version. The service's name is not looked at: clients sign whatever their endpoint
    /// begins with.
    version: &'static str,
    name: &'static str,
    run: Run,
}

/// How an action runs.
enum Run {
    /// At once. Such as the call that only asks who it is, the commonest by far: nothing goes on the heap for it.
    AtOnce(fn(&ActionCall<'_>) -> Result<ActionOutput, ApiError>),
    /// After waiting for the database.
    Waiting(for<'a> fn(ActionCall<'a>) -> BoxFuture<'a, Result<ActionOutput, ApiError>>),
}

/// In the order in which they are looked for.
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

/// An action's own name, if there is one of that name. Any other is nowhere stored or logged.
pub(super) fn known(sent: &str) -> Option<&'static str> {
    ACTIONS.iter().map(|action| action.name).find(|name| *name == sent)
}

/// Runs the action that a checked request asks for. Version and name are as sent.
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
