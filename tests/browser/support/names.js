// What buttons and fields are called. The walk through all states knows them in English and finds them in Chinese, too.

const CHINESE = {
  'Account name': '账号名称',
  Password: '密码',
  'New password': '新密码',
  'New password again': '确认新密码',
  Next: '下一步',
  'Authenticator code': '动态验证码',
  'Recovery code': '恢复码',
  'Use a recovery code instead': '改用恢复码',
  Confirm: '确定',
  'Go to the API keys': '前往 API 密钥',
  'Sign in': '登录',
  'Sign out': '退出登录',
  'Create Key': '新建密钥',
  Show: '显示',
  Save: '保存',
  Enable: '启用',
  Disable: '禁用',
  Delete: '删除',
  hidden: '已隐藏',
  'Current password': '当前密码',
  'Change password': '修改密码',
  'Replace authenticator': '更换身份验证器',
  'New recovery codes': '更换恢复码',
  'Make new codes': '生成恢复码',
  'Back to Security': '返回安全设置',
  End: '结束',
  'Add a passkey': '添加通行密钥',
  Name: '名称',
  'End all others': '结束其他所有会话',
};

/** Matches just this name, in whichever language the page is. */
export function named(english) {
  return new RegExp(`^(${escaped(english)}|${CHINESE[english] ?? escaped(english)})$`);
}

/** Matches names that begin with this word and go on with the end of a key's id. */
export function beginning(english) {
  return new RegExp(`^(${escaped(english)}|${CHINESE[english] ?? escaped(english)})(?!\\p{L})`, 'u');
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
