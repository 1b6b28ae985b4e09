"""How mail servers call themselves, and what they say of mail that did not arrive, in the languages they speak.

Sources: the examples of RFC 3464; the templates of Exim, Postfix, sendmail, qmail, Courier, OpenSMTPD, Exchange,
Domino, GroupWise, Gmail and Outlook.com, and the localised notices of Exchange.
"""

import re

from mailflow.reading.wording import any_of, wording

DAEMON_LOCALS = re.compile(
    r"(?:mailer|mail|mailr|smtp|mta|mx)?[-_.]?daemon|post[-_.]?master|mdaemon|mail-?system|mailadm(?:in)?"
    r"|mail[-_.]?delivery(?:[-_.]?(?:sub)?system)?"
    r"|(?:ms|microsoft)?exchange[0-9a-f-]{6,}|bounces?(?:[-+=].*)?|uucp|mmdf|listserv|amavis",
    re.IGNORECASE,
)
DAEMON_NAMES = wording(
    r"(?:internet )?mail deliver[y]? (?:sub|service|system)",
    r"mail(?:er)?[-_ ]daemon",
    r"postmaster",
    r"mail administrator",
    r"internet mail delivery",
    r"system ?administrator",
    r"courier mail server",
    r"microsoft (?:outlook|exchange)$",
)

_NOT_DELIVERED = any_of(
    # English
    r"undeliver(?:able|ed)\b",
    r"non[- ]?delivery",
    r"(?:message |mail )?deliver(?:y|ing)[- ]+(?:status|fail|problem|report|error|delay|incomplete|notification"
    r"|has failed"
    r"|has been delayed)",
    r"(?:automatically )?(?:returned|returning|bounced?|rejected) (?:mail|message|posting)\b",
    r"return(?:ed)? mail\b",
    r"failure notice",
    r"(?:an? )?mail (?:delivery )?(?:fail|error|system error|could not|not delivered|non-delivery|warning|returned)",
    r"(?:mail|message) (?:delivery )?(?:system|failure|undeliverable|status report|status - |not delivered|delayed)",
    r"(?:warning: )?message \S{1,40} delayed",
    r"(?:warning: )?could not send (?:mail|message)",
    r"message you sent.*(?:blocked|returned)",
    r"(?:sorry, )?(?:your |the )?(?:message|mail|e-?mail) (?:could not|cannot|was not|has not been) (?:be )?delivered",
    r"could not (?:deliver|send) (?:mail|message)",
    r"(?:there was an )?error sending (?:your )?(?:mail|message)",
    r"delayed mail",
    r"permanent (?:delivery )?(?:failure|error)",
    r"user unknown",
    r"invalid (?:address|recipient)",
    # German, Dutch, Scandinavian, Finnish
    r"unzustellbar",
    r"(?:mail )?nicht zugestellt",
    r"zustell(?:ung (?:fehlgeschlagen|nicht|verzögert)|benachrichtigung|fehler)",
    r"onbestelbaar",
    r"niet (?:bezorgd|afgeleverd)",
    r"olevererbar",
    r"ej levererbar",
    r"kan inte leverera",
    r"k(?:unne|an) ikke leveres?",
    r"ikke lever[et]+t",
    r"toimitus epäonnistui",
    r"(?:viestiä )?ei voi(?:tu)? toimittaa",
    # French, Spanish, Portuguese, Italian, Romanian
    r"(?:message |courrier )?non (?:remis|distribué)",
    r"échec de (?:la )?(?:remise|distribution)",
    r"notification d.(?:état|échec)",
    r"(?:correo |mensaje )?no (?:se puede entregar|entregado)",
    r"(?:correo|mensaje) devuelto",
    r"error (?:de|en la) entrega",
    r"não (?:é|foi) possível entregar",
    r"falha (?:na|de) entrega",
    r"mensagem (?:não entregue|devolvida)",
    r"mancat[oa] (?:recapito|consegna)",
    r"impossibile (?:recapitare|consegnare)",
    r"messaggio non (?:consegnato|recapitato)",
    r"nelivrat",
    # Slavonic, Hungarian, Turkish, Greek
    r"niedostarczon",
    r"nie (?:można|udało się) dostarczyć",
    r"zwrot wiadomości",
    r"nedoručen|nedoručiteln",
    r"недоставлен",
    r"(?:ваше )?сообщение не доставлено",
    r"не (?:удается|удалось) доставить",
    r"kézbesíthetetlen",
    r"teslim edilemedi|iletilemedi",
    r"μη παραδοτέο|αδυναμία παράδοσης",
    # Chinese, Japanese, Korean
    "(?:メール|メッセージ)?(?:を)?(?:配信不能|(?:配信|配送|送信)できません|配送エラー|送信エラー|エラー通知|不達)",
    "(?:系统)?退信|未送达|未达|无法投递|无法送达|傳遞失敗|投递失败",
    r"배달되지 ?않음|(?:메일 ?)?(?:배달|전송|발송) ?실패|반송",
)
SUBJECT = re.compile(rf"\W*(?:\[[^\]]{{1,40}}\] *)?(?:warning: *|\*+ *)?{_NOT_DELIVERED}", re.IGNORECASE)
SUBJECT_END = re.compile(rf"(?!\W*\w{{2,3}} *: *{_NOT_DELIVERED}).*[(:–] *{_NOT_DELIVERED}\w*\W*$", re.IGNORECASE)

TEXT = wording(
    r"(?:could|can|was|were|has|have) ?(?:not|n't) (?:yet )?(?:be(?:en)? )?(?:delivered|sent to)\b",
    r"(?:message|mail|delivery).{0,60}(?:undeliverable|returned to sender)",
    r"(?:deliver|delivery) (?:to|of).{0,80}(?:failed|has been delayed|was unsuccessful)",
    r"(?:unable to deliver|trouble delivering|error.{0,40} deliver(?:ing)? )",
    r"permanent (?:fatal |delivery )?errors?",
    r"the following address(?:es|\(es\))?.{0,40}(?:failed|errors|problems)",
    r"did not reach the following",
    r"failed recipients?\b",
    r"message .{0,60}was automatically rejected",
    r"konnte (?:leider )?nicht.{0,60}zugestellt",
    r"n'a pas pu [eê]tre (?:remis|distribu|d[eé]livr)",
    r"no (?:se )?(?:ha podido|pudo) (?:ser )?entreg",
    r"não pôde ser entregue",
    r"impossibile recapitare",
    r"kon niet worden (?:bezorgd|afgeleverd)",
    r"nie (?:została|mogła) .{0,20}dostarczona",
    r"не (?:может быть|было|удалось) доставлен\w*",
    "(?:配信|配送|送信)できませんでした|无法(?:投递|送达)|退回来|전송되지 ?못",
)
REFUSAL = re.compile(
    r"\b5\d\d[ -]{1,3}#?5\.\d{1,3}\.\d{1,3}\b"
    r"|\b5[0-5]\d[ -]{1,3}(?:<|\S+@|user|mailbox|no such|unknown|invalid|relay|host|recipient|requested|sorry|access)"
    r"|\b(?:user unknown|unknown user|over quota|quota exceeded|host unknown|unrouteable)\b"
    r"|\bnot a valid user\b|\buser not found\b"
    r"|\bno such (?:user|mailbox|recipient|address)\b|\bmailbox (?:is )?(?:full|unavailable|not found)\b",
    re.IGNORECASE,
)

OPENING = re.compile(
    r"[\W_]*"
    + any_of(
        r"this (?:message|e-?mail|report) (?:was|is|has been) .{0,30}automatically .{0,60}mail (?:delivery|system"
        r"|server)",
        r"this is (?:the (?:mail|postfix|qmail|\w+ mail)|an? .{0,40}(?:delivery|bounce|notification|advisory))",
        r"(?:your|the|an?|this)(?: following| original)? (?:e-?mail|mail|message)\b.{0,240}?"
        r"(?:(?:could not|cannot|can not|was not|were not|has not|couldn['’]t|can['’]t|wasn['’]t)\b.{0,20}"
        r"(?:delivered|deliver|sent)|undeliverable|did not reach|has encountered)",
        r"(?:sorry[,.]? |hi\W+)?(?:we|i)(?: were| was|['’]m afraid i was)? ?(?:unable to|not able to|could not"
        r"|had trouble) deliver",
        r"(?:could not|unable to) deliver|(?:message|mail) could not be delivered|non-?delivery (?:report"
        r"|notification)",
        r"failed recipients?\b|the following (?:mail|message|address|recipient)\S*.{0,80}(?:could not|fail|undeliver"
        r"|error|problem)",
        r"delivery (?:of|to|has|failed|attempt).{0,120}(?:fail|postponed|delayed|unsuccessful|could not)",
        r"(?:there was|an) (?:an )?error (?:occurred |has occurred )?.{0,40}(?:deliver|send)",
        r"(?:ihre|die) (?:e-?mail|nachricht)\b.{0,200}(?:nicht|konnte).{0,60}(?:zugestellt|übermittelt)",
        r"votre message\b.{0,120}(?:n['’]a pas|ne peut).{0,30}(?:d[eé]livr|remis|distribu)",
        r"(?:su|el) (?:mensaje|correo)\b.{0,200}no (?:se )?(?:ha podido|pudo|puede).{0,30}entreg",
        r"(?:il (?:suo|tuo) messaggio|a sua mensagem|uw bericht|ваше письмо|twoja wiadomość)\b.{0,200}(?:non|não|niet"
        r"|не|nie)\b",
        "(?:次|以下)の.{0,40}(?:送信|配信|配送)|您的邮件.{0,30}(?:退|无法)|보내신 메일",
    ),
    re.IGNORECASE,
)
"""How reports begin: a server speaks of a mail that the reader sent, before it says anything else."""

STILL_TRYING = wording(
    r"(?:has|have) been (?:delayed|postponed)|still being retried|delayed mail|message \S{1,40} delayed"
    r"|delivery (?:is )?delayed",
    r"not yet been delivered|still undelivered|could not send message for (?:the )?past",
    r"will (?:be retried|keep trying|continue (?:to (?:try|retry|deliver)|for)|be reattempted)"
    r"|delivery attempts will continue",
    r"(?:this is a )?warning (?:message )?only|do not need to resend",
    r"temporary (?:failure|problem|error)|delay reason",
    r"zustellung verzögert|wird weiterhin versucht|verzögert\b",
    r"remise (?:différée|retardée)|retardé\b|entrega (?:retrasada|aplazada|atrasada)|consegna ritardata",
)
GIVEN_UP = wording(
    r"permanent(?:ly)?\b|given up|giving up|no further (?:delivery )?attempts|could not be delivered (?:for|after"
    r"|within)",
    r"cannot send message (?:for|within)|retry time(?:out)? exceeded|expired|too (?:long|old)\b",
    r"after \d+ (?:unsuccessful )?attempts?\b|after \d+ attempt\(s\)",
    r"did(?:n't| not) work out|endgültig|dauerhaft|définitive",
)
