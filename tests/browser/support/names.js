// The labels of buttons and fields. The walk through all states uses the English ones, and finds them in the other
// languages as well.

/** The Chinese and Japanese labels. */
const OTHERS = {
  'Account name': ['账号名称', 'アカウント名'],
  Password: ['密码', 'パスワード'],
  'New password': ['新密码', '新しいパスワード'],
  'Confirm new password': ['确认新密码', '新しいパスワード（確認）'],
  Next: ['下一步', '次へ'],
  'Authenticator code': ['动态验证码', '認証コード'],
  'Recovery code': ['恢复码', 'リカバリーコード'],
  'Use a recovery code instead': ['改用恢复码', 'リカバリーコードを使用する'],
  Confirm: ['确定', '確定'],
  'Go to API keys': ['前往 API 密钥', 'APIキーへ進む'],
  'Sign in': ['登录', 'サインイン'],
  'Sign out': ['退出登录', 'サインアウト'],
  'Create Key': ['新建密钥', 'キーを作成'],
  Show: ['显示', '表示'],
  Save: ['保存', '保存'],
  Enable: ['启用', '有効化'],
  Disable: ['禁用', '無効化'],
  Delete: ['删除', '削除'],
  hidden: ['已隐藏', '非表示'],
  'Current password': ['当前密码', '現在のパスワード'],
  'Change password': ['修改密码', 'パスワードを変更'],
  'Replace authenticator': ['更换身份验证器', '認証アプリを変更'],
  'New recovery codes': ['更换恢复码', 'リカバリーコードを更新'],
  'Generate codes': ['生成恢复码', 'コードを生成'],
  'Back to Security': ['返回安全设置', 'セキュリティに戻る'],
  End: ['结束', '終了'],
  'Add a passkey': ['添加通行密钥', 'パスキーを追加'],
  Name: ['名称', '名前'],
  'End all other sessions': ['结束其他所有会话', 'ほかのセッションをすべて終了'],
};

/** Matches exactly this label, in the language of the page. */
export function named(english) {
  return new RegExp(`^(${[english, ...(OTHERS[english] ?? [])].map(escaped).join('|')})$`);
}

/** Matches labels that consist of this verb and a key or session. In Japanese, the verb comes last. */
export function beginning(english) {
  const [chinese, japanese] = OTHERS[english] ?? [english, english];
  return new RegExp(`^(${escaped(english)}|${escaped(chinese)})(?!\\p{L})|${escaped(japanese)}$`, 'u');
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
