//! The API's messages, in English and Chinese. A message that one of them lacks does not compile.

use axum::http::{HeaderMap, HeaderName, header};

use super::envelope::ApiError;
use super::params::{self, MOST_PARAMETERS};
use crate::check::checker::MAX_SKEW_SECONDS;
use crate::http::headers::only;
use crate::types::language::Language;

const X_TC_LANGUAGE: HeaderName = HeaderName::from_static("x-tc-language");

/// The language a caller asks for, by `X-TC-Language` before `Accept-Language`; English without either.
pub fn language_of(headers: &HeaderMap) -> Language {
    let named = |tag: &str| Language::of_tag(tag).unwrap_or(Language::English);
    let accepted = || only(headers, header::ACCEPT_LANGUAGE).map(Language::preferred);
    only(headers, X_TC_LANGUAGE).map(named).or_else(accepted).unwrap_or(Language::English)
}

fn pick(language: Language, english: String, chinese: String) -> String {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// What a caller is told of an error.
#[expect(clippy::too_many_lines, reason = "an arm for each error, and no remainder")]
pub(crate) fn message(error: &ApiError, language: Language) -> String {
    let say = |english: &str, chinese: &str| pick(language, english.to_owned(), chinese.to_owned());
    match error {
        ApiError::Authorization(why) => pick(
            language,
            format!("The request is not signed as it must be: {why}."),
            "请求的签名格式不正确，请检查 Authorization 请求头或签名参数。".to_owned(),
        ),
        ApiError::SecretIdShape => say(
            "The SecretId is malformed. It is AKID followed by 32 letters or digits.",
            "SecretId 格式不正确，应为 AKID 加 32 位字母或数字。",
        ),
        ApiError::SecretIdNotFound => say(
            "The SecretId is not found. Check that the key exists and is enabled in the console.",
            "SecretId 不存在，请在控制台确认密钥存在且已启用。",
        ),
        ApiError::Expired => pick(
            language,
            format!(
                "The signature is expired: the timestamp is more than {MAX_SKEW_SECONDS} seconds from the server's clock. \
                 Set the clock of this machine."
            ),
            format!("签名已过期：时间戳与服务器时间相差超过 {MAX_SKEW_SECONDS} 秒，请校准本机时钟。"),
        ),
        ApiError::SignatureFailure => say(
            "The signature is not that of this request. Check the SecretKey, and that nothing changes the request on its way.",
            "签名与请求不符，请检查 SecretKey，并确认请求在途中未被改动。",
        ),
        ApiError::Token => say(
            "This server issues no temporary tokens. Send the request without one.",
            "本服务器不签发临时令牌，请去掉 Token 后重试。",
        ),
        ApiError::Unauthorized => say(
            "This server does not let keys manage keys. Use the console.",
            "本服务器不允许用密钥管理密钥，请使用控制台。",
        ),
        ApiError::InvalidAction(name) => {
            pick(language, format!("There is no such action here: {name}."), format!("接口不存在：{name}。"))
        }
        ApiError::NoSuchVersion(version) => {
            pick(language, format!("There is no such version here: {version}."), format!("接口版本不存在：{version}。"))
        }
        ApiError::MissingParameter(name) => {
            pick(language, format!("The parameter {name} is missing."), format!("缺少参数 {name}。"))
        }
        ApiError::UnknownParameter(name) => {
            pick(language, format!("The parameter {name} is not known to this action."), format!("未知参数 {name}。"))
        }
        ApiError::RepeatedParameter(name) => {
            pick(language, format!("The parameter {name} is given more than once."), format!("参数 {name} 重复。"))
        }
        ApiError::InvalidParameter(name) if *name == params::BODY => {
            say("The type or form of the body is wrong.", "请求体的类型或格式不正确。")
        }
        ApiError::InvalidParameter(name) => {
            pick(language, format!("The type or form of {name} is wrong."), format!("参数 {name} 的类型或格式不正确。"))
        }
        ApiError::InvalidParameterValue(name) => pick(
            language,
            format!("The value of {name} is not one this action takes."),
            format!("参数 {name} 的取值不正确。"),
        ),
        ApiError::UinNotMatch => say("TargetUin is not the account of the key.", "TargetUin 与密钥所属账号不一致。"),
        ApiError::OverLimit => say(
            "The account already has two keys. Delete a disabled one first.",
            "每个账号最多两个密钥，请先删除一个已禁用的密钥。",
        ),
        ApiError::SecretNotExist => say("The key is not one of this account's.", "该密钥不存在或不属于此账号。"),
        ApiError::StateForbids => {
            say("The key is enabled. Disable it before deleting it.", "密钥处于启用状态，请先禁用再删除。")
        }
        ApiError::RateLimit => {
            say("Too many calls of this action in one second. Slow down.", "该接口在一秒内的调用次数过多，请放慢速度。")
        }
        ApiError::UnsupportedProtocol => say("Only GET and POST are supported.", "仅支持 GET 和 POST。"),
        ApiError::TooLarge => say(
            "The request is too large: at most 32 KB for GET, and for POST 10 MB, or 1 MB with signature version 1.",
            "请求过大：GET 最大 32 KB，POST 最大 10 MB（签名方法 v1 为 1 MB）。",
        ),
        ApiError::UnsignedPayload => {
            say("The payload of a request to this back end must be signed.", "访问此后端的请求必须对请求体签名。")
        }
        ApiError::ContradictoryForward => {
            say("The proxy's headers do not say clearly which request is meant.", "代理转发头不完整或相互矛盾。")
        }
        ApiError::Target => say(
            "The address must begin with a slash, and whatever is not a printable ASCII character must be percent-encoded in \
             it, as must a space and \" < > #, and a backtick before the query.",
            "请求地址必须以斜杠开头；空格、\" < > #、路径中的反引号以及所有非 ASCII 可打印字符必须进行百分号编码。",
        ),
        ApiError::UpstreamDown => {
            say("The service behind this guard does not answer. Try again later.", "后端服务没有响应，请稍后重试。")
        }
        ApiError::UpstreamSlow => say(
            "The service behind this guard did not answer in time. Try again later.",
            "后端服务响应超时，请稍后重试。",
        ),
        ApiError::Incomplete => say(
            "The body did not arrive in time, or too slowly. Send the request again.",
            "请求体未能及时到达，请重新发送。",
        ),
        ApiError::Crowded => say(
            "The server has too many long requests to read at this moment. Send the request again a little later.",
            "服务器当前正在接收的大请求过多，请稍后重新发送。",
        ),
        ApiError::TooManyParameters => pick(
            language,
            format!("There are more than {MOST_PARAMETERS} parameters."),
            format!("参数超过 {MOST_PARAMETERS} 个。"),
        ),
        ApiError::Fault => say(
            "An internal error occurred. Try again, and report the RequestId if it stays.",
            "服务器内部错误，请稍后重试；若仍出现，请提供 RequestId。",
        ),
    }
}
