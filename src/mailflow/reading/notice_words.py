"""What programs write on behalf of nobody: that they are programs, that a ticket was opened, that a mail was read.

Rule: that a program writes is said at the beginning of a sentence, near the beginning or the end of the mail.
"""

import re

from mailflow.reading.wording import any_of, wording

_ASKED = r"(?:request|ticket|case|enquiry|inquiry|message|e-?mail)"
SUBJECT = re.compile(
    r"\W*(?:\[[^\]]{1,60}\] *)*"
    + any_of(
        rf"(?:your )?(?:support )?{_ASKED} (?:\S+ )?(?:(?:has been|was|is) )?"
        r"(?:received|created|opened|registered|logged|acknowledged)(?: *[:\[(#\-–]| *$)",
        rf"we(?:['’]ve| have)? received your {_ASKED}",
        rf"(?:acknowledg\w+ of|confirmation of) (?:receipt|your {_ASKED})",
        r"ihre (?:anfrage|nachricht|e-?mail) .{0,40}(?:eingegangen|erhalten)|eingangsbestätigung",
        r"accusé de réception|votre (?:demande|ticket|message) .{0,40}(?:reçue?|enregistrée?|créé)\b",
        r"hemos recibido (?:su|tu)|acuse de recibo|recebemos (?:a )?sua (?:solicitação|mensagem)",
        r"abbiamo ricevuto la (?:tua|sua)|ontvangstbevestiging|potwierdzenie (?:otrzymania|przyjęcia)",
        "受付(?:完了|のお知らせ)",
        r"(?:new )?(?:web ?|contact ?)?form (?:submission|response|entry|notification)\b",
        r"new (?:submission|response|entry) (?:from|for|in|to|on) .*(?:form|survey)\b",
        r"(?:return|read) receipt\b|lesebestätigung|accusé de lecture|confirmación de lectura",
        r"report domain:|(?:ana)?cron (?:<|job)|completed: .*docusign|complaint about message from \d",
    ),
    re.IGNORECASE,
)
THANKS_SUBJECT = re.compile(
    rf"\W*thank you for (?:contacting|your (?:submission|registration|{_ASKED}))", re.IGNORECASE
)
"""People write this, too: the text must be short and ask nothing."""

MACHINE = re.compile(
    r"[*_\W]*"
    + any_of(
        r"(?:please note:? )?(?:that )?this is an? (?:system[- ]|computer[- ])?(?:auto(?:mated|matic|matically)"
        r"|generated)\b",
        r"this (?:e-?mail|message) (?:was|is|has been) (?:sent |generated |created )?automatically\b",
        r"automat(?:ic|ed) (?:message|reply|response|e-?mail)[.!*_\s]*$",
        r"dies(?:e (?:e-?mail|nachricht) (?:wurde|ist)| ist) (?:eine )?automatisch",
        r"ceci est un (?:message|e-?mail|courriel) (?:généré )?automatique",
        r"este es un (?:mensaje|correo) (?:generado )?autom|este correo se envía de forma autom",
        r"esta é uma mensagem autom|este é um e-?mail autom|questo è un messaggio (?:generato )?autom",
        r"ceci est une réponse autom|esta es una respuesta autom|esta é uma resposta autom|questa è una risposta autom",
        r"to jest automatyczna odpowiedź",
        r"dit is een automatisch|ta wiadomość (?:została|jest) .{0,20}automatycznie|wiadomość automatyczna",
        r"toto je automatick|bu (?:otomatik|e-posta otomatik)|bu mesaj otomatik|tämä on automaatti",
        r"det(?:ta|te) är ett automat|dette er en automat",
        r"(?:это письмо|это сообщение) (?:создано|сформировано|отправлено) автоматически|это автоматическ",
        "(?:この|本)メールは.{0,20}自動|此邮件.{0,12}自动"
        "|(?:系统)?自动发送|[본이] ?(?:메일|이메일)은 (?:발신 ?전용|자동)",
    ),
    re.IGNORECASE,
)
MACHINE_ANSWER = wording(
    r"this is an? auto(?:mated|matic) (?:answer|reply|response)|dies ist eine automatische antwort",
    r"ceci est une réponse|esta es una respuesta|esta é uma resposta|questa è una risposta",
    r"dit is een automatisch antwoord|to jest automatyczna odpowiedź|メールは.{0,20}自動返信",
)
"""Of MACHINE, what says that it answers; the end of our own answers, too (templates/*/_answer.md.j2)."""
NO_ANSWER = re.compile(
    r"[*_\W]*"
    + any_of(
        r"(?:please )?do not (?:reply|respond)(?: directly)? to this (?:e-?mail|message|mail)\b",
        r"bitte antworten sie nicht auf diese|(?:merci|veuillez) (?:de )?ne pas (?:y )?répondre",
        r"(?:por favor,? )?n(?:o|ão) responda a est|(?:si prega di )?non rispondere a quest",
        r"niet (?:op )?dit bericht beantwoorden|prosimy na nią nie odpowiadać|neodpovídejte na",
        r"ikke svar på denne|svara inte på detta|älä vastaa tähän",
        "(?:本|この)メール(?:に|へ).{0,12}返信(?:いただいても|しないで|はでき)|请勿(?:直接)?回复|회신하지 ?마",
    ),
    re.IGNORECASE,
)
"""People say it of a mail that asks for nothing."""

RECEIVED = re.compile(
    r"(?:[^.!?]{0,60}?[,!:，] ?)?\W{0,3}"
    + any_of(
        r"thank(?:s| you) for (?:contacting|reaching out|getting in touch)",
        rf"your {_ASKED}\b.{{0,60}}\b(?:has been|was) (?:received|created|opened|logged|registered|submitted)",
        rf"(?:this is to confirm that )?we(?:['’]ve| have)? (?:received|got) your {_ASKED}"
        rf"|(?:ticket|case) \S{{0,20}} ?(?:has been|was) (?:created|opened|logged) for"
        rf"|a new (?:ticket|case) (?:has been|was) (?:created|opened) for you",
        r"(?:wir haben )?ihre (?:anfrage|nachricht|e-?mail)\b.{0,60}\b(?:eingegangen|erhalten|erfasst|registriert)"
        r"|(?:ein |das |ihr )?(?:ticket|vorgang)\b.{0,20}\b(?:wurde|ist) für sie (?:angelegt|erstellt|eröffnet)",
        r"votre (?:demande|message|ticket)\b.{0,60}\b(?:reçue?|enregistrée?)\b"
        r"|nous (?:accusons réception de|avons bien reçu) votre (?:demande|message|e-?mail|courriel|ticket)",
        r"hemos recibido (?:su|tu) |su (?:solicitud|mensaje|correo|caso|ticket)\b.{0,30}\b(?:ha sido|fue) (?:recibid"
        r"|registrad|cread|abiert)|gracias por (?:contactar|ponerse en contacto)",
        r"recebemos (?:a |o )?(?:sua?|seu) |(?:[ao] )?(?:sua solicitação|seu (?:chamado|ticket))\b.{0,20} foi (?:abert"
        r"|criad|recebid|registrad)|obrigad[oa] por (?:entrar em contato|contactar|nos contatar)",
        r"abbiamo ricevuto (?:la|il) (?:su[ao]|tu[ao]) |la (?:sua|tua) richiesta\b.{0,20} è stata (?:ricevuta"
        r"|registrata|presa in carico)|grazie per aver(?:ci|mi) contattato",
        r"(?:wij|we) hebben (?:uw|je) (?:verzoek|bericht|vraag|e-?mail)\b.{0,20}ontvangen|(?:uw|je) (?:verzoek"
        r"|melding) is (?:ontvangen|geregistreerd)",
        r"otrzymaliśmy (?:twoje|państwa) |(?:(?:twoje|państwa) )?zgłoszenie\b.{0,20} (?:zostało )?(?:przyjęte"
        r"|zarejestrowane)",
        r"váš požadavek byl (?:přijat|zaregistrován)|přijali jsme váš"
        r"|vaš[ae] (?:požiadavka|správa) bola (?:prijatá|zaregistrovaná)|prijali sme vaš"
        r"|talebiniz (?:alınmış|alındı|kaydedil|oluşturul)",
        r"(?:ваш\w* )(?:заявка|обращение|запрос|письмо) .{0,20}(?:зарегистрирован|принят|получен)",
        r"vi har (?:tagit emot|mottagit|modtaget|mottatt) (?:ditt|din|dit|deres)|olemme vastaanottaneet|(?:viestisi"
        r"|pyyntösi) on vastaanotettu",
        r"(?:ваш\w* )?(?:запит|звернення|заявк\w) .{0,20}(?:зареєстрован|прийнят|отриман)",
        r"(?:köszönjük )?(?:a )?(?:bejelentés|megkeresés|level)\w*.{0,30}(?:rögzített|megkaptuk|iktattuk)",
        r"(?:solicitarea|mesajul) (?:dumneavoastră|dvs\.?|ta) a fost (?:înregistrat|primit|recepționat)",
        r"το (?:αίτημά|μήνυμά) σας (?:καταχωρήθηκε|ελήφθη|παραλήφθηκε)|λάβαμε το (?:αίτημά|μήνυμά) σας",
        r"yêu cầu của (?:bạn|quý khách) đã được (?:tiếp nhận|ghi nhận|tạo)",
        r"(?:permintaan|pesan|laporan) anda telah (?:kami )?(?:terima|diterima|tercatat)",
        "お問い合わせ.{0,20}(?:受け付け|承り)|受付番号.{0,20}(?:受け付け|承り)|문의가 접수",
        "(?:我们|我們)?(?:已收到|收到了)您的(?:请求|邮件|咨询|來信)|您的(?:请求|问题|工单|邮件).{0,6}已(?:提交|受理|收到|创建)",
    ),
    re.IGNORECASE,
)
"""At the beginning of a sentence."""
TICKET = wording(
    r"(?:ticket|case|request|reference|vorgang|anfrage|incident|caso|solicitud|demande)s?[ -]*"
    r"(?:id|no\.?|number|nummer|nr\.?|numéro|n°|número|numero|#|:|\d)|\[[^\]]*#\s?\w+[^\]]*\]|above this line",
    r"num[eé]ro (?:de |di |do )?(?:ticket|caso|dossier|chamado|demande|pratica)|número (?:de |do )?(?:ticket|caso"
    r"|chamado)",
    r"(?:numer|nr) (?:zgłoszenia|sprawy)|zgłoszenie nr|číslo (?:požadavku|požiadavky|tiketu)|pod číslem \d"
    r"|talep (?:no|numar)|(?:номер\w*|№) ?\S{0,12}\d|номер (?:обращения|заявки|запроса|запиту|звернення)",
    r"#\d{3}|\bnummer \d{3}|(?:chamado|richiesta) (?:n[.°º]? ?)?\d",
    r"\d számon|ügyszám|num[aă]rul \d|αριθμό \d|mã yêu cầu|nomor (?:tiket|permintaan)",
    r"(?:ärende|sags|saks|tiketti)(?:nummer|numero)?\s*[:#]?\s*\d|pyyntö(?:numero)?\s*[:#]?\s*\d",
    "(?:受付|問い合わせ|お問合せ)番号|工单(?:编)?号|案件編號|접수 ?번호",
)
WILL_ANSWER = wording(
    r"will (?:be )?(?:respond|repl|answer|get back|contact|reviewed|in touch).{0,60}(?:shortly|soon|within"
    r"|working days?|business days?)",
    r"(?:schnellstmöglich|umgehend|in kürze|baldmöglichst)|dans les (?:meilleurs|plus brefs) délais"
    r"|a la (?:mayor )?brevedad",
    r"(?:le antes|lo antes) posible|o mais breve possível|al più presto|zo (?:spoedig|snel) mogelijk|jak najszybciej",
    r"co nejdříve|в ближайшее время|så snart som|hurtigst muligt|så fort som|mahdollisimman pian|en kısa sürede",
    "折り返し|尽快(?:回复|处理)|빠른 시일",
)
BUT = wording(
    r"\bbut\b|\bhowever\b|\baber\b|\bjedoch\b|\bmais\b|\bpero\b|\bmas\b|\bperò\b|\bmaar\b|\bale\b|\bно\b|\bmen\b"
    r"|\bmutta\b"
)

RECEIPT = wording(
    r"\byour message\b.{0,300}\bwas (?:read|displayed|deleted without being read) (?:on|at)\b",
    r"\bihre nachricht\b.{0,300}\bwurde .{0,40}(?:gelesen|ungelesen gelöscht)",
    r"\bvotre message\b.{0,300}\ba été (?:lu|supprimé sans)",
    r"\b(?:su|el) mensaje\b.{0,300}\b(?:fue|ha sido) leído|\ba (?:sua|seu) mensagem\b.{0,300}\bfoi lid[ao]",
    r"\bil (?:suo|tuo) messaggio\b.{0,300}\bè stato letto|\b(?:uw|je) bericht\b.{0,300}\bis gelezen",
)
RECEIPT_SUBJECT = re.compile(
    r"\s*(?:read|not read|displayed|gelesen|ungelesen|lu|non lu|leído|no leído|lida|letto|gelezen)\s*:", re.IGNORECASE
)
INVITATION = wording(
    r"has (?:accepted|declined|tentatively accepted|proposed a new time for) (?:this|the|your) (?:invitation|meeting"
    r"|event)",
    r"(?:hat|haben) .{0,30}(?:einladung|termin).{0,20}(?:zugesagt|angenommen|abgelehnt)|(?:einladung"
    r"|besprechung) .{0,20}(?:angenommen|abgelehnt)",
    r"a (?:accepté|refusé|décliné) (?:l['’]|cette |votre )invitation|ha (?:aceptado|rechazado) (?:la|esta"
    r"|su) (?:invitación|reunión)",
    r"ha (?:accettato|rifiutato) l['’]invito|heeft .{0,20}(?:uitnodiging).{0,20}(?:geaccepteerd|geweigerd|afgewezen)",
    r"(?:aceitou|recusou) (?:o|este|seu) convite|zaakceptował\w* .{0,20}zaproszenie|odrzucił\w* .{0,20}zaproszenie",
)
ANSWER_SUBJECT = re.compile(
    r"\s*(?:(?:tentatively )?accepted|declined|tentative|new time proposed|zugesagt|angenommen|abgelehnt|mit vorbehalt"
    r"|accepté|refusé|décliné|aceptad[ao]|rechazad[ao]|accettat[ao]|rifiutat[ao]|geaccepteerd|geweigerd|aceit[oe]"
    r"|recusado|zaakceptowano|odrzucono|承諾|辞退|已接受|已拒绝|수락)\s*[:：]",
    re.IGNORECASE,
)
RECALL_SUBJECT = re.compile(
    r"\s*(?:recall|rückruf|rappel|recuperar|richiamo|intrekken|recuperação)\s*[:：]", re.IGNORECASE
)
RECALL = wording(
    r"would like to recall the message|möchte die nachricht .{0,200}zurückrufen|souhaite rappeler le message",
    r"desea recuperar el mensaje|desidera richiamare il messaggio|wil het bericht .{0,200}intrekken",
)
ABOUT = ((RECEIPT_SUBJECT, RECEIPT), (ANSWER_SUBJECT, INVITATION), (RECALL_SUBJECT, RECALL))
"""What a program writes under the subjects of such programs."""

HELD = wording(
    r"(?:your|the) (?:e-?mail|message)\b.{0,120}(?:being held|waitlisted|quarantined|awaiting (?:your )?confirmation"
    r"|awaiting (?:your )?verification|not (?:yet )?been delivered|was received|in quarantine)",
    r"protected by \w+|sender (?:verification|confirmation)|only accept (?:e-?)?mail from people",
    r"(?:ihre|deine) (?:nachricht|e-?mail)\b.{0,80}(?:zurückgehalten|quarantäne|noch nicht zugestellt)",
    r"protégée? contre (?:le|les) (?:spam|pourriel)s?|votre (?:message|e-?mail|courriel)\b.{0,80}(?:retenu|en attente)",
    r"(?:su|tu) (?:mensaje|correo)\b.{0,80}(?:retenid|cuarentena|en espera)",
)
PROVE = wording(
    r"(?:have|get|deliver|release|verify|confirm)\b.{0,80}(?:click|follow|reply|visit)",
    r"(?:click|follow|visit|reply|confirm|verify).{0,200}(?:(?:allowed|approved|safe|guest|white) ?list|deliver"
    r"|release (?:your|the)|that you are (?:a )?(?:human|real)|your (?:e-?mail )?address|add you to (?:the|my) list)",
    r"bestätigen.{0,120}(?:mensch|link|absender|adresse)|cliquez.{0,40}http|confirm(?:e|ez) .{0,80}(?:http|votre|su )",
)
"""Both: a program keeps the mail until its sender proves to be a person."""
