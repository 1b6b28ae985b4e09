"""What people, phones and companies write around a mail, in some thirty languages: regular expressions, lower case.

Each table has one row a language or family; of a row the alternatives stand in the order in which they are tried.
"""


def lower(line: str) -> str:
    """`line` in lower case, of the same length: Python makes two characters of the Turkish capital I with a dot."""
    return line.replace("\u0130", "i").lower()


CLOSINGS: dict[str, str] = {
    "en": (
        "(?:with |my )?(?:(?:best|kind|kindest|warm|warmest|many|very best) ){0,2}regards|"
        "(?:with )?(?:best|warm|good) wishes|(?:all the )?best|cheers|"
        "(?:many |huge )?thanks(?: again| in advance| a lot| so much| a million)?|"
        "thank you(?: in advance| again| (?:so|very) much| for your (?:help|time|support|understanding|"
        "assistance))?|thx|tia|yours(?: (?:sincerely|faithfully|truly))?|"
        "(?:sincerely|faithfully|respectfully)(?: yours)?|warmly|take care|"
        "have a (?:nice|great|good) (?:day|week|weekend|one)|looking forward to hearing from you|rgds|br|kr|bw"
    ),
    "de": (
        r"(?:mit )?(?:(?:den )?(?:freundlich|best|lieb|herzlich|viel|schön|sonnig|nett)\w{1,4} ){0,2}(?:gr(?:ü|"
        r"ue?)(?:ß|ss)(?:e|en)?)(?: aus [\w-]{2,20})?|mfg|vg|lg|hochachtungsvoll|"
        "(?:vielen |herzlichen |besten )?dank(?: im voraus| vorab)?|"
        "danke(?: (?:schön|sehr|im voraus|vorab|dir|ihnen|euch))?|schöne[ns]? (?:tag|woche|wochenende)(?: noch)?"
    ),
    "nl": (
        r"(?:met )?(?:(?:vriendelijke|hartelijke|beste|veel|de) ){0,2}groet(?:en|jes|je)?|mvg|m\.?v\.?g\.?|"
        "hoogachtend|(?:alvast |hartelijk )?(?:bedankt|dank)(?: alvast| u(?: wel)?| je(?: wel)?)?"
    ),
    "fr": (
        "(?:bien )?(?:cordialement|amicalement|sincèrement|respectueusement)(?: vôtre)?|cdlt|cdt|"
        "bien à (?:vous|toi)|"
        "(?:(?:mes |avec mes )?(?:meilleures|sincères|respectueuses|cordiales) )?salutations(?: distinguées)?|"
        "(?:merci|remerciements)(?: d['’]avance| beaucoup| par avance| à vous| bien)?|"
        "(?:bonne|excellente) (?:journée|soirée|réception|fin de journée|semaine)|à bientôt"
    ),
    "es": (
        "(?:(?:un|muchos|mis) )?(?:cordial(?:es)? |atentos? )?saludos?(?: cordial(?:es)?)?|(?:muy )?atentamente|"
        "atte|cordialmente|(?:(?:muchas|mil) )?gracias(?: de antemano| por adelantado)?|(?:un )?abrazo|"
        "quedo atent[oa]"
    ),
    "pt": (
        "(?:muito )?(?:atenciosamente|cordialmente|respeitosamente)|att|"
        "(?:com os |os )?(?:(?:melhores|meus) )?cumprimentos|(?:um )?abraços?|"
        "(?:muito )?obrigad[oa](?: desde já| pela atenção)?|grat[oa]"
    ),
    "it": (
        "(?:(?:i più |un )?(?:cordial[ei]|distint[oi]|miglior[ei]) )?salut[oi](?: cordiali)?|cordialmente|"
        "(?:molte |mille )?grazie(?: mille| in anticipo| e (?:cordiali )?saluti)?|buona giornata|buon lavoro"
    ),
    "ro": "cu (?:stimă|respect|drag)|toate cele bune|mulțumesc(?: anticipat)?|o zi bună",
    "da, no": (
        "(?:med )?(?:de )?(?:(?:venlig(?:e)?|vennlig(?:e)?|bedste|beste|mange|kærlig) )?hils(?:en|ner|ninger)|mvh|"
        "dbh|bh|kh|vh|(?:på forhånd )?(?:tak|takk)(?: på forhånd| skal du ha| for hjælpen| for hjelpen)?|"
        "god dag videre"
    ),
    "sv": (
        "(?:med )?(?:(?:vänlig(?:a)?|bästa|varma|många) )?hälsning(?:ar)?|vänligen|mvh|"
        "(?:tack|tusen tack)(?: på förhand| så mycket)?|trevlig helg"
    ),
    "fi, et": (
        r"(?:(?:ystävällisin|parhain|lämpimin|hyvin|kesäisin) )?terveisin|(?:yst\.? )?terv\.?|"
        "kiitos(?: etukäteen| paljon)?|kiittäen|parimate soovidega|lugupidamisega|tervitades"
    ),
    "pl": (
        "(?:z (?:góry |wyrazami )?)?(?:poważaniem|powazaniem|szacunku|szacunkiem|pozdrowieniami|uszanowaniem)|"
        "(?:serdecznie |gorąco )?(?:pozdrawiam(?:y)?|pozdrowienia)(?: serdecznie)?|pozdr|"
        "(?:łączę|przesyłam) (?:pozdrowienia|wyrazy szacunku)|"
        "(?:z góry |bardzo |serdecznie )?(?:dziękuję|dziękujemy|dzięki)(?: z góry| bardzo| i pozdrawiam)?|"
        "miłego dnia"
    ),
    "cs, sk": (
        "(?:s |se )?(?:(?:přátelským|srdečným|priateľským) )?pozdrav(?:em|om)?|s úctou|"
        "s přáním (?:hezkého|pěkného) dne|(?:hezký|pěkný|krásný|pekný) (?:den|deň)|"
        "(?:předem |mnohokrát |vopred )?(?:děkuji|děkujeme|ďakujem|ďakujeme|díky|vďaka)(?: předem| vopred| moc)?|"
        "zdravím"
    ),
    "hu": (
        "(?:szívélyes |baráti )?(?:üdvözlettel|udvozlettel)|tisztelettel|üdv|udv|köszönettel|(?:előre is )?köszönöm"
    ),
    "hr, sr, sl": (
        "(?:s |sa )?(?:(?:poštovanjem|štovanjem|spoštovanjem)|(?:lijep |srdačan |lep )?pozdrav(?:om)?)|lp|"
        "hvala(?: unaprijed| puno| lijepa)?"
    ),
    "lt, lv": "pagarbiai|ačiū|ar cieņu|paldies",
    "el": "με εκτίμηση|φιλικά|χαιρετισμούς|ευχαριστώ",
    "ru, uk, bg": (
        "с (?:уважением|наилучшими пожеланиями|уважение|поздрав)|з (?:повагою|найкращими побажаннями)|"
        "(?:заранее |большое |наперед )?(?:спасибо|благодарю|благодарим|дякую|дякуємо|благодаря)(?: заранее| "
        "большое)?|всего доброго|хорошего дня|поздрави"
    ),
    "tr": (
        "(?:en )?(?:derin )?(?:saygılarımla|saygılarımızla|saygılar|sevgilerimle|sevgiler|selamlar)|"
        "iyi (?:çalışmalar|günler|akşamlar|haftalar)(?: dilerim| dileriz)?|kolay gelsin|"
        "(?:şimdiden |çok )?teşekkür(?:ler|lerimle| ederim| ederiz)(?: şimdiden)?"
    ),
    "he, ar": "בברכה(?: רבה)?|בכבוד רב|תודה(?: רבה| מראש)?|مع (?:خالص )?(?:التحية|تحياتي)|تحياتي|وشكرا|شكرا",
    "vi, id, th": (
        "trân trọng|cảm ơn|hormat (?:kami|saya)|salam(?: hangat)?|terima kasih|ขอแสดงความนับถือ|ขอบคุณ(?:ครับ|ค่ะ)?"
    ),
    "ja": (
        r"(?:以上[、,]?\s?)?(?:何卒|どうぞ|引き続き|今後とも)?[、,]?\s?(?:よろ|宜)しく(?:お願い|御願い)(?:(?:いた|"
        "致)します|申し(?:上|あ)げます|します)|以上(?:です)?|敬具|取り急ぎ.{0,12}まで"
    ),
    "zh": (
        "此致(?:敬礼|敬禮)?|敬礼|敬禮|(?:多)?谢谢(?:您|你)?|謝謝(?:您|你)?|(?:祝|顺祝|順祝|敬祝).{1,8}|敬上|谨上|敬启"
    ),
    "ko": (
        "(?:미리 |대단히 )?(?:감사합니다|고맙습니다|감사드립니다)|수고하세요|수고하십시오|"
        "(?:좋은|즐거운) 하루 (?:되세요|보내세요)|안부 전합니다"
    ),
}
"""What closes a letter."""

SENT_FROM: dict[str, str] = {
    "en": (
        "sent from (?!our |the |your |their |here)|"
        "sent (?:with|via|by|using) (?:my |a |the )?(?:mobile|phone|smart|iphone|ipad|galaxy|samsung|blackberry|"
        "windows|outlook|yahoo|gmail|proton|airmail|superhuman|spark|mail|nine|zoho|tuta|front|k-9|canary|edison|"
        "bluemail|typeapp)|(?:get|download) outlook for|"
        r"from my (?:iphone|ipad|phone|mobile|samsung|android|cell|galaxy|pixel)|\w{1,20} from mobile$|"
        "get (?:yahoo mail|bluemail)"
    ),
    "de": (
        "gesendet (?:von|mit|über)|von meine[mr] ?.{2,40} gesendet|diese nachricht wurde von .{2,60} gesendet|"
        "outlook für (?:ios|android) (?:be|her)"
    ),
    "nl": "(?:verzonden|verstuurd) (?:vanaf|met|via|vanuit|door)|outlook voor (?:ios|android)|download outlook",
    "fr": "envoyé (?:de|depuis|à partir|via|avec|par)|(?:télécharger|télécharge[rz]|obtene[rz]|obtenez) outlook",
    "es": "enviado (?:desde|con|a través)|obten(?:er|ga) outlook",
    "pt": "enviad[oa] (?:do|de|a partir|via|pelo|através)|obter o outlook|obtenha o outlook",
    "it": "inviato (?:da|dal|con|tramite)|(?:ottieni|scarica) outlook",
    "ro": "trimis de pe|obțineți outlook",
    "da, no": "sendt (?:fra|med|via)|(?:hent|få|last ned) outlook",
    "sv": "skickat (?:från|med|via)|från min (?:iphone|mobil)|(?:hämta|skaffa) outlook",
    "fi, et": r"lähetetty (?:minun )?\w|hanki outlook|saadetud minu",
    "pl": "wysłan[eoy] (?:z|za pomocą|przy użyciu)|pobierz (?:aplikację )?outlook",
    "cs, sk": "odesláno z|odoslané z|získejte outlook|získat aplikaci outlook",
    "hu": r"elküldve (?:az? )?.{2,40}(?:ról|ről|ból|ből|val|vel)\b|.{2,30}(?:ról|ről|mról) küldve",
    "hr, sr, sl": "poslano (?:s|sa|z|iz) ",
    "ru, uk, bg": "отправлено (?:с|из)|надіслано (?:з|із)|изпратено от",
    "tr": ".{2,40}(?:dan|den|tan|ten|ımdan|umdan)['’]? gönderildi",
    "he, ar": "נשלח מ|أ?ُ?رسلت من|تم الإرسال من",
    "ja": ".{2,30}から送信|.{2,30}で送信",
    "zh": (
        "(?:发自|發自|来自|來自)我的|[从從]我的.{1,30}(?:发送|傳送|发出)|[从從] .{2,20} (?:版 outlook|发送)|"
        "获取 outlook"
    ),
    "ko": "(?:나의|내) .{1,30}에서 보(?:냄|냈)|.{2,30}에서 보냄|.{2,20}용 outlook",
}
"""What phones and apps write at the foot of a mail."""

GREETINGS: dict[str, str] = {
    "en": "hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|greetings|to whom it may concern",
    "de": "hallo|guten (?:tag|morgen|abend)|sehr geehrte[rs]?|liebe[rs]?|moin(?: moin)?|servus|grüezi|grüß gott",
    "nl": "beste|geachte|goede(?:morgen|middag|navond|ndag)|hoi|dag",
    "fr": "bonjour|bonsoir|ch(?:er|ère)s?|madame|monsieur|salut",
    "es": "hola|buen(?:os|as)? (?:días|tardes|noches)|estimad[oa]s?",
    "pt": "olá|ola|oi|bom dia|boa (?:tarde|noite)|prezad[oa]s?|car[oa]s?|exm[oa]s?",
    "it": r"buongiorno|buonasera|ciao|salve|gentil[ei]|spett\.?le|car[oiae]|egregi[oa]",
    "ro": "bună ziua|bună|stimate|stimată",
    "da, no, sv": "hejsan|hej|hei|kære|kjære|god (?:dag|morgen|morgon|aften)|goddag|bästa",
    "fi": "hei|moi|terve|hyvä|arvoisa|hyvää päivää",
    "pl": r"dzień dobry|witam|witaj|szanown[aiy]\S*|cześć|drog[ai]",
    "cs, sk": r"dobrý (?:den|deň)|vážen[íýáéa]\S*|ahoj|mil[ýáí]",
    "hu": "szia|sziasztok|kedves|tisztelt|jó napot",
    "hr, sr, sl": "poštovan[iaei]|spoštovan[iaei]|dobar dan|pozdravljeni|dragi",
    "ru, uk, bg": r"здравствуйте|добр(?:ый|ого) (?:день|дня)|уважаем\S+|привет|шановн\S+|вітаю|здравейте",
    "tr": "merhaba(?:lar)?|sayın|değerli|selam(?:lar)?",
    "he, ar": "שלום(?: רב)?|היי|مرحبا|السلام عليكم|عزيزي",
    "ja": (
        "お世話になっております|お世話になります|いつもお世話になっております|お疲れ様です|はじめまして|"
        ".{1,30}(?:様|御中|各位)"
    ),
    "zh": "您好|你好|尊敬的.{0,20}|大家好|各位好|早上好",
    "ko": "안녕하세요|안녕하십니까|.{1,20}(?:님께|귀하)",
}

DISCLAIMERS: dict[str, str] = {
    "en": (
        r"confidentiality\b|disclaimer\b|"
        "(?:legal|privacy|privileged|confidential|important|sensitive) (?:notice|note|"
        r"information)\b.{0,200}(?:e-?mail|message|confidential|recipient)|"
        "th(?:is|e information (?:contained )?in this) (?:e-?mail|message|communication|transmission|"
        "electronic)(?: message)?[ ,(].{0,160}(?:confidential|privileged|intended|solely)|"
        "the (?:information|contents?) (?:contained |transmitted )?(?:in|of) this (?:e-?mail|message|"
        "communication).{0,160}(?:confidential|privileged|intended)|"
        "if you (?:are not|have received) (?:the intended|this (?:e-?mail|message))|"
        "please consider the environment|registered (?:office|in england)|company registration no"
    ),
    "de": (
        "diese (?:e-?mail|nachricht).{0,120}vertraulich|der inhalt dieser e-?mail.{0,80}vertraulich|"
        "sitz der gesellschaft|geschäftsführer(?:in|ung)?:|handelsregister|amtsgericht|registergericht|ust-?id"
    ),
    "nl": "dit (?:e-?mail)?bericht.{0,120}vertrouwelijk|de informatie in (?:dit|deze).{0,120}vertrouwelijk",
    "fr": "(?:ce|le présent) (?:message|courriel|e-?mail).{0,140}confidentiel|avis de confidentialité",
    "es": "este (?:mensaje|correo|e-?mail).{0,140}confidencial|aviso (?:legal|de confidencialidad)",
    "pt": "est[ae] (?:mensagem|e-?mail).{0,140}confidencia|aviso (?:legal|de confidencialidade)",
    "it": (
        "(?:questo messaggio|questa e-?mail|le informazioni contenute).{0,140}(?:riservat|confidenzial)|"
        "avviso di riservatezza"
    ),
    "da, no, sv": (
        "(?:denne|dette|detta) (?:e-?mail|e-?post|meddelelse|melding|meddelande).{0,140}(?:fortrolig|"
        "konfidentiel|konfidensiell)"
    ),
    "fi": "tämä (?:viesti|sähköposti).{0,140}luottamuks",
    "pl": (
        "(?:niniejsza|ta) (?:wiadomość|korespondencja).{0,200}(?:poufn|przeznaczon|zastrzeżon)|"
        "treść (?:tej|niniejszej) wiadomości.{0,160}(?:poufn|przeznaczon)|informacje zawarte w.{0,160}poufn|"
        "klauzula poufności|administratorem (?:pani|pana|państwa|twoich|danych)|"
        r"(?:sąd rejonowy|krs:? ?\d|nip:? ?\d)"
    ),
    "cs, sk": (
        "(?:tento (?:e-?mail|e-?mailová)|tato (?:zpráva|e-?mailová)|táto (?:správa|e-?mailová)|obsah této|obsah "
        "tejto).{0,160}(?:důvěrn|dôvern|určen|adresát)|upozornění:.{0,200}e-?mail|"
        "zapsan[áo] v obchodním rejstříku"
    ),
    "hu": "(?:ez az|jelen) (?:e-?mail|üzenet|elektronikus).{0,160}(?:bizalmas|titkos)",
    "ru, uk": (
        "(?:это|данное|настоящее|це|дане) (?:сообщение|письмо|электронное|повідомлення).{0,160}(?:конфиденц|конфіденц)"
    ),
    "tr": (
        "(?:bu|işbu) (?:e-?posta|e-?mail|mesaj|elektronik|ileti).{0,200}(?:gizli|kişiye|özel|muhatab|alıcı)|"
        "yasal uyarı|gizlilik (?:bildirimi|uyarısı)|önemli not:.{0,120}e-?posta"
    ),
    "ja": (
        "(?:本|この|当)(?:メール|電子メール|eメール|e-mail|通信).{0,120}(?:機密|秘密|誤っ|受信者|宛先|名宛人)|"
        r"[【\[■*＊]?\s?(?:免責事項|機密保持|注意事項)"
    ),
    "zh": (
        "(?:本|此|這封|这封)(?:电子|電子)?(?:邮件|郵件|信件|信息).{0,120}(?:保密|机密|機密|收件人|隐私|法律)|"
        r"[【\[]?免责声明|[【\[]?免責聲明"
    ),
    "ko": (
        "(?:본|이) ?(?:전자우편|전자메일|이메일|메일|e-?mail).{0,120}(?:기밀|비밀|수신인|수신자|법적)|면책 ?조항|"
        "비밀정보"
    ),
}
"""How a legal notice begins."""
