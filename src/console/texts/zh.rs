//! The console in Simplified Chinese.

use super::Words;
use crate::console::frame::flash::Flash;
use crate::console::frame::problem::{NotDone, Problem};
use crate::keys::advice::Advice;
use crate::types::error::PasswordFlaw;
use crate::types::event::{Action, Actor, Detail, Outcome};
use crate::types::key_state::KeyState;

/// Simplified Chinese.
pub static ZH: Words = Words {
    product: "Latchkey",
    skip_to_content: "跳到主要内容",
    navigation: "控制台导航",
    nav_keys: "API 密钥",
    uin: "账号 ID",
    language: "语言",
    theme: "主题",
    theme_system: "跟随系统",
    theme_light: "浅色",
    theme_dark: "深色",
    sign_out: "退出登录",
    copied: "已复制。",
    copy_failed: "浏览器不允许在此处复制。文本已选中，请按 Ctrl+C 或 ⌘C。",
    copy: "复制",
    print: "打印",
    download: "下载",
    next: "下一步",
    cancel: "取消",
    confirm: "确定",
    save: "保存",
    edit: "编辑",
    please_correct: "提交未成功，请更正以下内容：",
    back_to_start: "返回首页",
    request_id: "请求 ID",
    sign_in: "登录",
    account_name: "账号名称",
    password: "密码",
    second_step: "二次验证",
    code: "动态验证码",
    code_hint: "身份验证器应用为此账号显示的 6 位数字。",
    code_once_hint: "6 位数字。每个验证码只能使用一次：如果刚刚用过，请等待下一个。",
    recovery_code: "恢复码",
    recovery_code_hint: "您保存的 10 个恢复码之一。每个只能使用一次，不区分大小写，连字符和空格均可省略。",
    use_recovery_code: "改用恢复码",
    use_authenticator: "改用身份验证器应用",
    start_over: "重新登录",
    sign_in_refused: "账号名称或密码错误，或尝试次数过多。请核对后稍等片刻再试。",
    code_refused: "验证码错误或已被使用，或尝试次数过多。请等待下一个验证码后再试。",
    signed_out: "您已退出登录。",
    session_expired: "登录状态已失效，请重新登录。",
    setup: "设置您的账号",
    setup_intro: "请设置登录用的账号名称和密码。下一步将绑定身份验证器应用。",
    setup_mfa: "绑定新的身份验证器",
    setup_mfa_intro: "请输入账号的密码，下一步将绑定新的身份验证器应用。",
    setup_step_1: "第 1 步，共 3 步",
    setup_step_2: "第 2 步，共 3 步",
    setup_step_3: "第 3 步，共 3 步",
    new_password: "新密码",
    password_advice: "至少 8 个字符，建议 15 个以上。几个互不相关的词语组合起来就是不错的密码。",
    password_again: "确认新密码",
    password_differs: "两次输入的密码不一致，请重新输入。",
    password_wrong: "密码错误，或尝试次数过多。请核对后稍等片刻再试。",
    name_invalid: "账号名称应为 1 至 64 个字符，且不能包含冒号。",
    name_taken: "已有使用此名称的账号，请改用其他名称。",
    setup_authenticator: "绑定身份验证器应用",
    setup_authenticator_intro: "请使用身份验证器应用扫描二维码，然后输入应用显示的验证码。",
    setup_code_hint: "6 位数字，应用每 30 秒更新一次。",
    setup_code_refused: "验证码与此二维码不符。请确认设备时间准确，等待下一个验证码后再输入。",
    qr_label: "供身份验证器应用扫描的二维码，旁边的密钥内容与之相同",
    cannot_scan: "如果无法扫描，请在应用中手动输入以下密钥：",
    open_in_app: "在本设备的应用中打开",
    recovery_codes: "恢复码",
    recovery_codes_intro: "如果身份验证器丢失，可以用恢复码代替动态验证码登录，每个恢复码只能使用一次。恢复码仅在此时显示，请与其他重要文件一起妥善保管。",
    codes_saved: "我已保存这些恢复码",
    to_the_keys: "前往 API 密钥",
    security: "安全设置",
    password_about: "登录时需要输入，查看 SecretKey 或更改本页任何设置前也需要再次输入。",
    change_password: "修改密码",
    change_password_effect: "修改后仅新密码有效。其他所有会话将立即结束，需用新密码重新登录；当前会话、通行密钥和 API 密钥不受影响。",
    current_password: "当前密码",
    authenticator: "身份验证器应用",
    authenticator_about: "输入密码时，还需同时输入其显示的动态验证码。",
    replace_authenticator: "更换身份验证器",
    replace_authenticator_title: "确定更换身份验证器？",
    replace_authenticator_effect: "下一步将绑定新的身份验证器。在您输入新验证器的验证码之前，原验证器仍然有效；之后其他所有会话将结束。",
    old_authenticator_holds: "在此之前，原身份验证器仍可照常使用。",
    keep_old_authenticator: "保留原身份验证器",
    recovery_codes_about: "没有身份验证器时，可用恢复码登录，每个只能使用一次。",
    new_recovery_codes: "更换恢复码",
    new_recovery_codes_title: "确定生成新的恢复码？",
    new_recovery_codes_effect: "您将获得 10 个新的恢复码，仅显示一次。原恢复码将同时失效。",
    make_recovery_codes: "生成恢复码",
    old_codes_void: "此前的恢复码已全部失效。",
    to_security: "返回安全设置",
    sessions: "会话",
    sessions_about: "该账号当前的登录情况。如果发现陌生的会话，请结束该会话并修改密码。",
    device: "设备",
    signed_in_at: "登录时间",
    last_seen: "最近活动",
    this_session: "当前会话",
    end: "结束",
    end_title: "确定结束此会话？",
    end_effect: "该会话将立即结束，使用者需重新登录。",
    end_others: "结束其他所有会话",
    end_others_title: "确定结束其他所有会话？",
    end_others_effect: "其他会话将立即结束，尚未完成的登录也会中止。当前会话不受影响。",
    sign_in_with_passkey: "使用通行密钥登录",
    passkey_refused: "通行密钥未被接受：可能已被移除、浏览器未验证您的身份、操作超时，或尝试次数过多。请重试，或使用密码和动态验证码登录。",
    use_passkey: "使用通行密钥",
    verify_passkey_refused: "通行密钥未被接受：可能不属于该账号、浏览器未验证您的身份、操作超时，或尝试次数过多。请重试，或输入密码和动态验证码。",
    passkey_cancelled: "未使用通行密钥：操作已取消、超时，或此处没有用于本控制台的通行密钥。请重试，或改用其他方式继续。",
    passkey_known: "此设备上已有该账号的通行密钥。请使用其他设备，或先移除原有的通行密钥。",
    passkey_failed: "无法连接服务器。请重新加载页面后再试。",
    passkeys: "通行密钥",
    passkeys_about: "手机、电脑或安全密钥上的通行密钥可同时代替密码和动态验证码，只需验证指纹、面容或设备密码。如果发现陌生的通行密钥，请将其移除。",
    no_passkeys: "目前没有通行密钥，使用密码和动态验证码即可。",
    add_passkey: "添加通行密钥",
    passkeys_full: "每个账号最多可添加 10 个通行密钥。移除一个后即可继续添加。",
    add_passkey_title: "确定添加通行密钥？",
    add_passkey_effect: "持有该通行密钥并能通过其验证的人可以登录此账号并查看 SecretKey。下一步将由浏览器创建通行密钥。",
    new_passkey: "新的通行密钥",
    new_passkey_intro: "请为它起一个便于辨认的名称，然后按照浏览器的提示操作。",
    new_passkey_refused: "未能添加通行密钥：可能操作超时、浏览器未验证您的身份，或该通行密钥已被使用。请重试。",
    passkey_name: "名称",
    passkey_name_hint: "例如保存该通行密钥的设备名称。",
    passkey_name_invalid: "名称应为 1 至 64 个字符，且不能换行。",
    passkey_added_at: "添加时间",
    rename: "重命名",
    rename_passkey: "重命名此通行密钥",
    remove: "移除",
    remove_passkey_title: "确定移除此通行密钥？",
    remove_passkey_effect: "移除后该通行密钥不再有效。现有会话不受影响，包括使用它登录的会话。设备上的通行密钥需另行删除。",
    keys_title: "API 密钥管理",
    last_sign_in: "上次登录时间：",
    notes: "使用须知",
    note_limit: "每个账号最多可拥有 2 个密钥，已禁用的密钥也计算在内。",
    note_identity: "密钥等同于您的登录密码，代表您的账号身份及其全部权限。请勿向任何人透露 SecretKey。",
    note_rotate: "请妥善保管并定期更换密钥：先新建密钥并将程序切换到新密钥，再禁用并删除旧密钥。",
    create_key: "新建密钥",
    at_limit: "该账号的 2 个密钥名额已用完。删除已禁用的密钥后即可新建。",
    no_keys: "暂无密钥",
    no_keys_hint: "新建密钥后即可用它为请求签名。SecretKey 默认隐藏，仅在您要求查看时显示。",
    app_id: "APPID",
    key: "密钥",
    created: "创建时间",
    last_used: "最近使用",
    never: "从未使用",
    status: "状态",
    operation: "操作",
    enabled: "已启用",
    disabled: "已禁用",
    show: "显示",
    hide: "隐藏",
    masked: "已隐藏",
    masks_itself: "一分钟后自动隐藏。",
    seconds_left: "{n} 秒后自动隐藏",
    longer: "延长",
    remark: "备注",
    no_remark: "无",
    remark_invalid: "备注最多 1024 个字符，且只能为一行。请缩短内容，或去掉换行符和控制字符。",
    verify_title: "身份验证",
    verify_intro: "SecretKey 拥有您账号的全部访问权限。",
    verify_proof: "如需继续，请输入密码和身份验证器应用显示的动态验证码。",
    verify_code_refused: "验证码错误或已被使用，或尝试次数过多。请等待下一个验证码后再试。",
    verification_over: "打开此页面后，上次的身份验证已过期。请一并输入身份验证器应用显示的动态验证码。",
    enable: "启用",
    disable: "禁用",
    disable_title: "确定禁用此密钥？",
    disable_effect: "确定后，使用此密钥签名的所有请求将立即被拒绝。您可以随时重新启用。",
    calls_24h: "最近 24 小时调用次数",
    addresses_24h: "最近 24 小时来源地址数",
    delete: "删除",
    delete_title: "确定删除此密钥？",
    delete_effect: "密钥删除后无法找回：其 SecretKey 将被销毁，仍在使用此密钥的程序需要更换其他密钥。",
    disabled_since: "禁用时间",
    refused_since: "禁用后被拒绝的调用次数",
    all_calls: "全部调用",
    no_calls_a_day: "最近 30 天没有调用。",
    calls_a_day: "最近 30 天每日调用次数",
    days_are_utc: "日期按 UTC 计算。",
    as_a_table: "以表格显示",
    day: "日期",
    accepted: "已通过",
    refused: "已拒绝",
    latest_calls: "最近调用",
    no_calls: "尚无调用记录。",
    time: "时间",
    action: "接口",
    address: "来源地址",
    result: "结果",
    why_refused: "调用为何被拒绝？",
    refused_title: "被拒绝的调用",
    refused_intro: "API 的每个应答都带有 RequestId。对于使用签名方法 v3 且因您的密钥被拒绝的调用，此页面显示服务器据此计算的内容，便于您与客户端计算的内容对照。",
    refused_unknown: "您的密钥没有此 RequestId 对应的被拒绝调用。每个密钥保留最近 100 条，最长 90 天；短时间内大量被拒绝时不会逐条保留。",
    look_up: "查询",
    arrived: "到达时间",
    signed_at: "签名时间（请求中的时间戳）",
    canonical_request: "规范请求串",
    string_to_sign: "待签名字符串",
    compare_with_yours: "请在客户端记录这两段内容并逐行对照：第一处不同的行就是原因。规范请求串的最后一行是服务器收到的请求体的哈希值。",
    advice_title: "待处理事项",
    disable_all: "禁用所有密钥",
    disable_all_hint: "紧急停用：怀疑 SecretKey 泄露时使用。",
    disable_all_title: "确定禁用所有密钥？",
    disable_all_effect: "确定后，使用以下任一密钥签名的所有请求将立即被拒绝，使用这些密钥的程序将停止工作。您可以随时重新启用每个密钥。",
    rotate_advice: "已超过 90 天，建议更换",
    snippets: "使用此密钥",
    snippets_intro: "以下示例已填入 SecretId 和 API 地址，但均不包含 SecretKey：SecretKey 从环境变量读取。",
    endpoint: "接入地址",
    secret_variable: "存放 SecretKey 的变量",
    snippet_environment: "环境变量",
    snippet_environment_hint: "在命令行中使用。第二行会等待输入 SecretKey：粘贴后按 Enter 键。输入内容不会显示，也不会留在命令历史中。",
    snippet_nginx_hint: "仅放行使用已启用密钥签名的请求，转发到 127.0.0.1:9000 的后端。启动 Latchkey 时请加上 --trusted-proxy 127.0.0.1/32，并由后端将请求正文的 SHA-256 与 X-Latchkey-Content-SHA256 进行比对。",
    rotate_title: "轮换此密钥",
    rotate_intro: "分四步用新密钥替换此密钥。各步之间不必着急，本页会随时显示当前进度。",
    step_done: "已完成",
    step_current: "当前步骤",
    step_later: "待完成",
    old_key: "旧密钥",
    new_key: "新密钥",
    rotate_create: "新建密钥",
    rotate_create_text: "新旧密钥可同时使用，业务不会中断。",
    rotate_full: "没有空余名额可供新建密钥：第二个名额被以下已禁用的密钥占用。请先将其删除，或重新启用并继续使用它。",
    rotate_older: "另一个密钥创建得更早且已启用，应先替换它：请将使用它的程序切换到此密钥。",
    rotate_the_older: "轮换较早的密钥",
    rotate_use: "切换到新密钥",
    rotate_use_text: "请将新密钥的 SecretId 和 SecretKey 配置到您的程序中。刷新本页即可看到调用从旧密钥逐渐转移到新密钥。",
    rotate_disable: "禁用旧密钥",
    rotate_disable_quiet: "旧密钥在最近 24 小时内没有已通过的调用，可以禁用。如果有不常运行的程序仍需要它，可立即重新启用。",
    rotate_still_used: "旧密钥仍在使用中。禁用后，以下来源地址的程序将立即被拒绝。",
    rotate_not_used_yet: "新密钥尚未使用过，不常运行的程序可能仍在使用旧密钥。",
    rotate_enable_again: "如果有程序因此无法工作，可重新启用。",
    rotate_delete: "删除旧密钥",
    rotate_delete_text: "确认没有程序需要它之后再删除。密钥删除后无法找回，其名额可用于下一次轮换。",
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
    nav_records: "操作记录",
    records_title: "操作记录",
    from_day: "开始日期",
    to_day: "结束日期",
    event: "事件",
    any: "全部",
    key_hint: "选择或输入 SecretId，包括已删除的密钥。",
    deleted: "已删除",
    who: "操作者",
    filter: "筛选",
    clear_filter: "清除筛选条件",
    download_csv: "下载 CSV",
    pages: "分页",
    newer: "较新",
    older: "较早",
    no_match: "没有符合条件的记录",
    no_match_hint: "请修改筛选条件，或清除后查看该账号的全部记录。",
    date_invalid: "日期格式不正确。请按年-月-日填写，例如 2026-11-24。",
    dates_reversed: "结束日期早于开始日期，请修改其中一个。",
    event_unknown: "没有此事件，请从列表中选择。",
    result_unknown: "没有此结果，请从列表中选择。",
    secret_id_invalid: "SecretId 应为 AKID 加 32 位字母或数字。请从列表中选择密钥，或粘贴完整的 SecretId。",
    record_actor,
    record_action,
    record_detail,
    record_outcome,
    with_detail,
};

/// What there is to look after, and what to do about it.
fn advice(advice: &Advice) -> (String, &'static str) {
    match advice {
        Advice::NeverUsed(key) => (format!("密钥 {} 从未使用过。", key.short()), "使用此密钥"),
        Advice::Unused(key, days) => (format!("密钥 {} 已有 {days} 天未使用。", key.short()), "禁用"),
        Advice::Old(key, days) => (format!("密钥 {} 已创建 {days} 天。", key.short()), "轮换"),
        Advice::FullWithDisabled(key) => {
            (format!("2 个密钥名额已用完，其中一个被已禁用的密钥 {} 占用。", key.short()), "删除")
        }
        Advice::Full(_) => ("2 个密钥名额已用完，删除其中一个之前无法更换密钥。".to_owned(), "继续轮换"),
        Advice::FewRecoveryCodes(0) => ("恢复码已用完。".to_owned(), "生成恢复码"),
        Advice::FewRecoveryCodes(left) => (format!("仅剩 {left} 个恢复码。"), "生成恢复码"),
        Advice::OneDevice => ("您只有一个身份验证器。一旦丢失，只能用恢复码登录。".to_owned(), "安全设置"),
    }
}

fn key_age(days: i64) -> String {
    match days {
        0 => "创建不足 1 天".to_owned(),
        days => format!("已创建 {days} 天"),
    }
}

fn further_addresses(number: i64) -> String {
    format!("另有 {number} 个")
}

fn still_refused(calls: i64) -> String {
    format!("密钥禁用后已有 {calls} 次调用被拒绝：仍有程序在使用它。")
}

fn device_name(browser: Option<&str>, system: Option<&str>) -> String {
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{system} 上的 {browser}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("{system} 上的未知浏览器"),
        (None, None) => "未知浏览器".to_owned(),
    }
}

fn recovery_codes_left(left: i64) -> String {
    match left {
        0 => "恢复码已用完，请生成新的恢复码。".to_owned(),
        1 => "仅剩 1 个，请生成新的恢复码。".to_owned(),
        left => format!("还剩 {left} 个。"),
    }
}

fn last_sign_in_rest(address: Option<&str>, failures: i64) -> String {
    let from = address.map(|address| format!("，来源地址 {address}")).unwrap_or_default();
    match failures {
        0 => format!("{from}。此后没有失败的登录尝试。"),
        many => format!("{from}。此后有 {many} 次失败的登录尝试。"),
    }
}

fn since_disabled(accepted: i64, refused: i64) -> String {
    format!("；此后通过 {accepted} 次，拒绝 {refused} 次")
}

fn try_again(text: &str, seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{text}请在 {seconds} 秒后重试。"),
        _ => format!("{text}请在 {} 分钟后重试。", (seconds + 59) / 60),
    }
}

fn most_calls(many: i64) -> String {
    format!("单日最多 {many} 次调用")
}

fn chart_bar(date: &str, accepted: i64, refused: i64) -> String {
    format!("{date}：通过 {accepted} 次，拒绝 {refused} 次")
}

/// The stored reasons are `verifier::Refusal`'s.
fn refusal(stored: &str) -> &'static str {
    match stored {
        "disabled" => "已拒绝：密钥已禁用",
        "deleted" => "已拒绝：密钥已删除",
        "disabled unread" => "已拒绝：密钥已禁用；请求体过长，未核对签名",
        "wrong signature" => "已拒绝：签名错误",
        "expired" => "已拒绝：时间偏差过大",
        "token" => "已拒绝：携带了临时令牌",
        _ => "已拒绝",
    }
}

/// Reason and cause as they are stored: `verifier::Refusal`'s and `diagnosis::Cause`'s.
fn refused_cause(reason: &str, cause: &str) -> &'static str {
    match (reason, cause) {
        (_, "date") => "Credential 中的日期不是 X-TC-Timestamp 对应的 UTC 日期。请用同一时钟、按 UTC 生成两者。",
        (_, "host") => {
            "签名所用的主机名与实际发送的不同。请按实际发送的 Host 请求头签名，包括端口；如果中间有代理，请让它原样转发该请求头。"
        }
        (_, "content type") => {
            "签名所用的 Content-Type 与实际发送的不同。请自行设置该请求头并按同一取值签名；许多 HTTP 库会自动追加 charset。"
        }
        (_, "body") => {
            "签名所用的请求体与实际发送的不同。请对实际发送的字节计算 SHA-256：只序列化一次，对其签名并原样发送。如果使用 UNSIGNED-PAYLOAD，请同时发送 X-TC-Content-SHA256。"
        }
        (_, "query") => {
            "签名所用的查询字符串与实际发送的不同。请完全按地址中的查询字符串签名；POST 没有查询字符串时，对空行签名。"
        }
        (_, "method") => "签名所用的请求方法与实际发送的不同。请按实际发送的 GET 或 POST 签名，使用大写。",
        (_, "path") => "签名所用的路径与实际发送的不同。请完全按地址中的路径签名。",
        ("disabled", _) => "签名正确，但密钥已禁用。请启用该密钥，或改用其他密钥。",
        ("expired", _) => "签名正确，但时间戳与服务器时间相差超过 300 秒。请校准签名所在机器的时钟。",
        ("token", _) => "签名正确，但请求携带了令牌。请去掉 X-TC-Token：本服务器不签发令牌。",
        _ => {
            "已按客户端常见的错误方式逐一核对 Host、Content-Type、请求体、查询字符串、请求方法和路径，均不能解释此签名。请先检查 SecretKey：是否属于另一对密钥，或是否不完整。然后与下方内容对照。"
        }
    }
}

fn record_actor(actor: &Actor) -> &'static str {
    match actor {
        Actor::Account => "账号所有者",
        Actor::Key(_) => "程序，使用密钥",
        Actor::Operator => "服务器管理员",
        Actor::Stranger => "未登录的访问者",
    }
}

fn record_action(action: Action) -> &'static str {
    match action {
        Action::AccountCreated => "创建账号",
        Action::SetUp => "完成账号设置",
        Action::SetupLinkCreated => "生成设置链接",
        Action::PasswordAccepted => "密码验证通过",
        Action::SignIn => "登录",
        Action::SignOut => "退出登录",
        Action::Verification => "身份验证",
        Action::MfaReset => "移除身份验证器",
        Action::ThrottleCleared => "清除失败尝试记录",
        Action::SessionsEnded => "结束多个会话",
        Action::KeyCreated => "创建密钥",
        Action::KeyRevealed => "显示 SecretKey",
        Action::KeyDisabled => "禁用密钥",
        Action::KeyEnabled => "启用密钥",
        Action::KeyDeleted => "删除密钥",
        Action::KeyRemarked => "修改备注",
        Action::PasswordChanged => "修改密码",
        Action::TotpReplaced => "更换身份验证器",
        Action::RecoveryCodesReplaced => "更换恢复码",
        Action::SessionEnded => "结束会话",
        Action::RecordsDownloaded => "下载操作记录",
        Action::PasskeyAdded => "添加通行密钥",
        Action::PasskeyRenamed => "重命名通行密钥",
        Action::PasskeyRemoved => "移除通行密钥",
        Action::MasterKeyRotated => "更换主密钥",
        Action::MasterKeyRetired => "停用旧主密钥",
    }
}

fn record_detail(detail: Detail) -> &'static str {
    match detail {
        Detail::Password => "密码错误，或尝试次数过多",
        Detail::AddressWaits => "密码错误；失败次数过多，该地址须等待后再试",
        Detail::Code => "验证码错误或已使用，或尝试次数过多",
        Detail::PasswordAndTotp => "使用密码和动态验证码",
        Detail::PasswordAndRecoveryCode => "使用密码和恢复码",
        Detail::AtSetUp => "账号设置完成时",
        Detail::OlderVersions => "除最新版本外的全部版本",
        Detail::Passkey => "使用通行密钥",
        Detail::AllButTheAsking => "除发起操作的会话外的全部会话",
        Detail::AllKeys => "一次性操作所有密钥",
    }
}

fn record_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "成功",
        Outcome::Refused => "被拒绝",
    }
}

fn with_detail(outcome: &str, detail: &str) -> String {
    format!("{outcome}：{detail}")
}

fn flash(flash: &Flash) -> String {
    match flash {
        Flash::KeyCreated(id) => {
            format!("密钥 {} 已创建并启用。如需查看 SecretKey，请点击“显示”并完成身份验证。", id.short())
        }
        Flash::KeyEnabled(id) => format!("密钥 {} 已启用，使用它签名的请求将重新被接受。", id.short()),
        Flash::KeyDisabled(id) => format!("密钥 {} 已禁用，使用它签名的所有请求从现在起都会被拒绝。", id.short()),
        Flash::KeyDeleted(id) => format!("密钥 {} 已删除，其 SecretKey 已被销毁。", id.short()),
        Flash::KeyAlready(id, KeyState::Disabled) => {
            format!("密钥 {} 此前已被禁用，可能是在其他标签页中操作的。未作任何更改。", id.short())
        }
        Flash::KeyAlready(id, _) => {
            format!("密钥 {} 此前已被启用，可能是在其他标签页中操作的。未作任何更改。", id.short())
        }
        Flash::KeyLimit => "未能新建密钥：该账号已有 2 个密钥。请先删除一个已禁用的密钥。".to_owned(),
        Flash::KeyNotDisabled(id) => {
            format!("密钥 {} 未被删除，因为它处于启用状态。请先禁用，再删除。", id.short())
        }
        Flash::RemarkSaved(id) => format!("密钥 {} 的备注已保存。", id.short()),
        Flash::RecoveryCodesLeft(0) => {
            "您已使用最后一个恢复码登录。请在安全设置页面生成新的恢复码；如果身份验证器已丢失，请向服务器管理员索取新的设置链接。".to_owned()
        }
        Flash::RecoveryCodesLeft(left) => format!("您已使用恢复码登录，还剩 {left} 个恢复码。"),
        Flash::PasswordChanged => "密码已修改，其他所有会话均已结束。".to_owned(),
        Flash::TotpReplaced => "新的身份验证器已启用，原身份验证器不再有效。其他所有会话均已结束。".to_owned(),
        Flash::SessionEnded => "该会话已结束。".to_owned(),
        Flash::AllKeysDisabled(0) => "没有已启用的密钥，未作任何更改。".to_owned(),
        Flash::AllKeysDisabled(keys) => {
            format!("已禁用 {keys} 个密钥，使用这些密钥签名的所有请求从现在起都会被拒绝。")
        }
        Flash::OtherSessionsEnded => "其他所有会话均已结束。".to_owned(),
        Flash::PasskeyAdded => "通行密钥已添加，从现在起可以用它登录。".to_owned(),
        Flash::PasskeyRenamed => "通行密钥已重命名。".to_owned(),
        Flash::PasskeyRemoved => "通行密钥已移除，不再有效。请同时在其设备上将其删除。".to_owned(),
        Flash::PasskeyLimit => {
            "未能添加通行密钥：该账号已有 10 个。请先移除一个，并在设备上删除刚创建的通行密钥。".to_owned()
        }
    }
}

fn flaw(flaw: PasswordFlaw) -> &'static str {
    match flaw {
        PasswordFlaw::TooShort => "密码少于 8 个字符，请换一个更长的密码。",
        PasswordFlaw::TooLong => "密码超过 128 个字符，请换一个更短的密码。",
        PasswordFlaw::Common => "该密码属于最容易被猜到的常见词语、人名或规律组合，请换一个密码。",
        PasswordFlaw::Name => "该密码由账号名称或产品名称构成，请换一个密码。",
    }
}

fn problem(problem: Problem) -> (&'static str, &'static str) {
    match problem {
        Problem::NotFound => ("页面不存在", "该地址没有对应的页面。请检查地址，或返回首页。"),
        Problem::KeyNotFound => {
            ("密钥不存在", "该账号中没有此密钥，可能已在其他标签页中被删除。请返回首页查看现有密钥。")
        }
        Problem::SessionNotFound => {
            ("会话不存在", "该账号没有此会话，可能已自行结束，或已在其他标签页中被结束。请返回安全设置查看现有会话。")
        }
        Problem::PasskeyNotFound => {
            ("通行密钥不存在", "该账号没有此通行密钥，可能已在其他标签页中被移除。请返回安全设置查看现有的通行密钥。")
        }
        Problem::LinkInvalid => {
            ("链接无法使用", "该设置链接已被使用、超过一天有效期或不完整。请向服务器管理员索取新的链接。")
        }
        Problem::FormExpired => {
            ("表单已过期", "未作任何更改。页面打开时间过长，或您在此期间登录或退出过。请返回并刷新页面，然后重新提交。")
        }
        Problem::FormMalformed => ("无法读取表单", "未作任何更改。表单中有内容缺失或过长。请返回检查后重新提交。"),
        Problem::CrossSite => ("请求来自其他网站", "未作任何更改。该表单并非来自本控制台。请自行打开控制台后重试。"),
        Problem::MethodNotAllowed => ("不支持此访问方式", "该地址存在，但不能以这种方式访问。请返回首页后重试。"),
        Problem::TooLarge => ("内容过大", "未作任何更改。提交的内容超出此页面的上限。请缩短后重试。"),
        Problem::WrongHost => {
            ("请使用其他地址访问", "本控制台不以您所用的名称提供服务。请使用服务器管理员提供的地址打开。")
        }
        Problem::TooManyTries => ("尝试次数过多", "来自您的地址的失败或未完成的尝试过多。"),
        Problem::Busy => ("服务器繁忙", "等待验证的密码过多，您提交的表单未被处理。"),
        Problem::Unavailable => (
            "数据库暂时无法使用",
            "在数据库恢复之前，无法显示或更改任何内容。如果您刚才正在进行更改，该更改可能已经生效，也可能没有：请先查看，再决定是否重复操作。",
        ),
        Problem::TimedOut => ("处理超时", "请求未能及时完成，请稍后重试。"),
        Problem::NotDone(why) => ("操作未完成", why_not_done(why)),
        Problem::Fault => (
            "服务器出现故障",
            "这是服务器的问题，与您的操作无关，故障已被记录。请重试；如果仍然出现，请将请求 ID 告知服务器管理员。",
        ),
    }
}

fn why_not_done(why: NotDone) -> &'static str {
    match why {
        NotDone::NameTaken => "在此期间已有人创建了同名账号，因此设置未完成。请重新打开设置链接，改用其他名称。",
        NotDone::NameInvalid => ZH.name_invalid,
        NotDone::PasswordUnfit(kind) => flaw(kind),
        NotDone::PasswordWrong => ZH.password_wrong,
        NotDone::CodeRefused => ZH.code_refused,
        NotDone::SignInRefused => ZH.sign_in_refused,
        NotDone::PasskeyRefused => ZH.verify_passkey_refused,
        NotDone::PasskeyLimit => ZH.passkeys_full,
        NotDone::PasskeyNameInvalid => ZH.passkey_name_invalid,
        NotDone::KeyLimit => "未作任何更改。该账号已有 2 个密钥（包括已禁用的密钥）。请先删除一个已禁用的密钥。",
        NotDone::KeyNotDisabled => "未作任何更改。该密钥处于启用状态。请先禁用，再删除。",
        NotDone::KeyAlready => "未作任何更改。该密钥已处于此状态，可能是在其他标签页中操作的。",
        NotDone::RemarkInvalid => ZH.remark_invalid,
    }
}
