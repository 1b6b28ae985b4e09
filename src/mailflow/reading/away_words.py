"""What people have their mailbox say while they are away or gone, by language; and what only people at work write.

Rule: words alone never suffice in the middle of a mail: `origin_words` says in which company they do.
"""

import re

from mailflow.reading.wording import any_of, wording

_AWAY = any_of(
    r"auto(?:matic|mated|matisch\w?)?[ -]?(?:reply|response|responder|answer)",
    r"out[ -]of[ -](?:the )?office|ooo\b",
    r"away from (?:the |my )?office|not in (?:the |my )?office",
    r"on (?:annual|maternity|paternity|parental) leave",
    r"vacation (?:reply|notice|response)",
    r"automatische (?:antwort|rückantwort)|abwesen(?:d|heit)\w*|nicht im (?:büro|haus)",
    r"réponse automatique|(?:message )?(?:d['’] ?)?absence(?: du bureau)?|absente? du bureau",
    r"respuesta automática|fuera de (?:la )?oficina",
    r"resposta autom[áà]tica|fora (?:do escritório|de l['’]oficina)|ausência (?:temporária|do escritório)",
    r"risposta automatica|fuori (?:ufficio|sede)",
    r"automatisch ?antwoord|afwezig(?:heid\w*)?|niet aanwezig",
    r"automatyczna odpowiedź|odpowiedź automatyczna|autoodpowiedź|poza biurem|nieobecność",
    r"automatiskt? (?:svar|meddelande)|autosvar|frånvaro\w*|fravær\w*|ikke (?:til stede|på kontoret)",
    r"automaattinen (?:vastaus|poissaolo\w*)|poissaolo\w*",
    r"automatická odpov[eě]ď|automatikus (?:válasz|üzenet)|házon kívül",
    r"otomatik (?:yanıt|cevap)|ofis dışında|răspuns automat|αυτόματη απάντηση",
    r"автоматический ответ|автоответ\w*|автоматична відповідь|автоматичен отговор",
    r"automatski odgovor|samodejni odgovor|automaatvastus|automātiskā atbilde|automatinis atsakymas",
    "自動(?:応答|返信|回覆|回复)|不在(?:通知|連絡|のお知らせ|にしております)|自动(?:回复|答复)|外出回覆",
    "자동 ?(?:회신|응답)|부재 ?중|תשובה אוטומטית|(?:ال)?رد (?:ال)?تلقائي",
    "trả lời tự động|balasan otomatis|ตอบกลับอัตโนมัติ",
)
_UNTIL = any_of(
    r"(?:until|till?|from|since|through|bis|vom|seit|ab|du|jusqu|hasta|desde|del|até|de|dal|fino|tot|van|do|od|to|til"
    r"|fra)\b",
    r"(?:re|aw)\b",
    r"\d|t\.o\.m",
)
SUBJECT = wording(
    rf"\W*(?:auto: *)?{_AWAY} *(?:auto[ -]?reply|message|notice|notification|e-?mail)? *"
    rf"(?:$|[:：\-–—(\[!.,/|【\]]|{_UNTIL})",
    r"\W*auto(?: ?reply| ?response|: *re)? *:|\W*auto[- ]?generated\b|risposta non al computer",
)
"""Only at the beginning, and only if nothing but a date or the old subject follows: people ask about leave, too."""

ABSENT = wording(
    # English
    r"\bi(?:['’]m| am|['’]ll be| will be| shall be| have been) (?:[\w-]+ ){0,3}?"
    + any_of(
        r"(?:out of|not in|away from) (?:the |my )?office",
        r"away\b|abroad\b|overseas\b|absent|unavailable|travell?ing",
        r"on (?:[\w-]+ ){0,2}?(?:leave|vacation|holidays?|business trip)\b",
        r"off (?:work )?(?:until|till|from)\b",
    ),
    r"\bout of (?:the )?office (?:from|until|till|on|this|today|and)\b",
    r"\bi (?:am |['’]m )?(?:no longer|don['’]t) (?:work\w*|with|at|employed)\b(?=.{0,60}(?:longer|any ?more|\.))"
    r"|\bi (?:have )?left (?:on|the|in)\b",
    r"this mailbox (?:is|will|has)(?: not|n['’]t| no longer)\b",
    # German, Dutch
    r"\b(?:bin|befinde mich|befinde ich mich|werde) (?:ich )?(?:\S+ ){0,6}?"
    + any_of(
        r"nicht (?:im (?:büro|hause?|dienst)|erreichbar|verfügbar|am platz)",
        r"abwesend|im (?:urlaub|mutterschutz|krankenstand)|außer haus|in (?:elternzeit|mutterschutz|urlaub)",
        r"auf (?:einer )?(?:dienst|geschäfts)reise",
    ),
    r"\b(?:bis|ab|vom|seit) .{1,40}(?:abwesend|nicht (?:im büro|erreichbar|im hause?))",
    r"nicht mehr (?:im unternehmen|in der firma|für .{1,40} tätig|bei .{1,40} (?:tätig|beschäftigt))",
    r"\bben (?:ik )?(?:\S+ ){0,5}?(?:afwezig|(?:met|op) (?:vakantie|verlof|\w+verlof)|niet (?:op kantoor|aanwezig"
    r"|bereikbaar))",
    r"niet meer (?:werkzaam|in dienst)|werk niet meer",
    # French, Spanish, Portuguese, Italian
    r"\bje (?:suis|serai) (?:\S+ ){0,4}?(?:absente?|en (?:congés?|vacances|déplacement|arrêt)|hors du bureau"
    r"|injoignable)",
    r"\bje ne (?:fais|travaille) plus|n['’]est plus (?:en poste|parmi)|j['’]ai quitté",
    r"\b(?:estoy|estaré|me encuentro|me encontraré) (?:\S+ ){0,4}?(?:fuera|de (?:vacaciones|viaje|permiso|baja)"
    r"|ausente)",
    r"\bya no (?:trabajo|formo parte|laboro)",
    r"\b(?:estou|estarei|encontro-me) (?:\S+ ){0,4}?(?:fora|(?:de|em) (?:férias|licença|viagem|baixa)|ausente)",
    r"\bjá não (?:trabalho|faço parte)|não trabalho mais",
    r"\b(?:sono|sarò|mi trovo) (?:\S+ ){0,4}?(?:assente|fuori (?:ufficio|sede)|in (?:ferie|vacanza|trasferta|congedo"
    r"|maternità))",
    r"\bnon (?:lavoro|faccio) più",
    r"\b(?:s[oó]c|estic|estaré|seré) (?:\S+ ){0,4}?(?:fora (?:de l['’]oficina|del despatx)|absent"
    r"|de (?:vacances|baixa|permís|viatge))",
    # Polish, Czech, Slovak, Russian
    r"\b(?:jestem|będę|przebywam) (?:\S+ ){0,4}?(?:na (?:urlopie|zwolnieniu|delegacji)|poza biurem|nieobecn\w+"
    r"|niedostępn\w+)",
    r"nie (?:ma|będzie) mnie w biurze|już nie pracuję",
    r"\b(?:jsem|budu|čerpám|mám) (?:\S+ ){0,4}?(?:mimo kancelář|na (?:dovolené|služební cestě|mateřské)|nepřítom\w+"
    r"|dovolenou)",
    r"\b(?:nejsem|nebudu) (?:\S+ ){0,4}?(?:v kanceláři|k zastižení|přítom\w+)|již nepracuji",
    r"\b(?:som|budem|čerpám|mám) (?:\S+ ){0,4}?(?:mimo kancelár\w+|na (?:dovolenke|služobnej ceste|materskej)"
    r"|neprítomn\w+|dovolenku)",
    r"\b(?:nie som|nebudem) (?:\S+ ){0,4}?(?:v kancelárii|k dispozícii|prítomn\w+)|už nepracujem",
    r"\b(?:нахожусь|буду|сейчас) (?:\S+ ){0,4}?(?:в (?:отпуске|командировке|отъезде)|на больничном|отсутств\w+"
    r"|вне офиса)",
    r"\b(?:нет|не будет) (?:\S+ ){0,2}?в офисе|больше не работаю",
    # Swedish, Danish, Norwegian, Finnish
    r"\bjag (?:är|kommer att vara) (?:\S+ ){0,4}?(?:på (?:semester|tjänsteresa)|(?:föräldra)?ledig|inte (?:på"
    r"|anträffbar|i tjänst)|frånvarande)",
    r"\bjeg (?:er|har|holder) (?:\S+ ){0,4}?(?:på (?:ferie|barsel|orlov|\w*reise|\w*rejse|permisjon)|fraværende|ferie\b"
    r"|ikke (?:på|til stede|at træffe|tilgjengelig))",
    r"arbetar inte längre|arbejder ikke længere|jobber ikke lenger",
    r"\bolen (?:\S+ ){0,4}?(?:\w*lomalla|poissa|matkoilla|vapaalla|\w*vapaalla|työmatkalla)"
    r"|\ben ole (?:\S+ ){0,3}?(?:toimistolla|paikalla|tavoitettavissa)",
    # Turkish, Hungarian, Romanian, Greek, Ukrainian, Bulgarian
    r"izin(?:deyim|de olacağım|liyim)|ofis(?:te değilim| dışındayım)|tatildeyim|seyahatteyim",
    r"(?:szabadságon|házon kívül) (?:vagyok|leszek)|(?:sunt|voi fi) (?:plecat|în concediu)|(?:είμαι"
    r"|βρίσκομαι|λείπω) .{0,20}(?:εκτός (?:γραφείου|έδρας)|σε άδεια|σε διακοπές)|\b(?:απουσιάζω|θα απουσιάσω)\b",
    r"(?:перебуваю )?у відпустці (?:до|з)\b|\bперебуваю (?:\S+ ){0,2}?(?:у (?:відпустці|відрядженні)|на лікарняному)"
    r"|поза офісом",
    r"\bв (?:отпуска?|командировка) съм|\bсъм (?:\S+ ){0,2}?(?:в (?:отпуска?|командировка)|извън офиса)"
    r"|няма да съм в офиса",
    # Croatian, Serbian, Slovenian
    r"\bna (?:godišnjem|bolovanju|porodiljnom|službenom)\b.{0,20}\bsam\b|\bodsut(?:an|na) sam\b"
    r"|\bsam (?:\S+ ){0,3}?(?:na (?:godišnjem|odmoru|bolovanju|porodiljnom|službenom)|odsut\w+)"
    r"|\bnisam (?:\S+ ){0,3}?(?:u (?:uredu|kancelariji)|dostup\w+)",
    r"\bsem (?:\S+ ){0,4}?(?:na (?:dopustu|službeni poti|porodniški|bolniški)|odsot\w+)"
    r"|\bnisem (?:\S+ ){0,3}?(?:v pisarni|dosegljiv\w*)",
    # Estonian, Latvian, Lithuanian
    r"\b(?:olen|viibin) (?:\S+ ){0,4}?(?:puhkusel|lähetuses|komandeeringus|haiguslehel|kontorist (?:eemal|ära))",
    r"\b(?:esmu|būšu|atrodos) (?:\S+ ){0,4}?(?:atvaļinājumā|komandējumā|prombūtnē|ārpus biroja)"
    r"|\bneesmu (?:\S+ )?birojā",
    r"\batostogauju\b|\b(?:esu|būsiu) (?:\S+ ){0,4}?(?:atostog\w+|komandiruot\w+|išvyk\w+)"
    r"|\b(?:nesu|nebūsiu) (?:\S+ )?(?:biure|darbe|pasiekiam\w+)",
    # Vietnamese, Indonesian and Malay, Thai, Hebrew, Arabic
    r"\btôi (?:\S+ ){0,3}?(?:nghỉ (?:phép|lễ|thai sản)|đi (?:công tác|vắng)|vắng mặt|không có mặt)",
    r"\bsaya (?:\S+ ){0,3}?(?:cuti|bercuti|dinas luar|di luar (?:kantor|pejabat)"
    r"|tidak (?:berada )?di (?:kantor|pejabat))\b",
    "ลา(?:พักร้อน|กิจ|ป่วย|คลอด)|ไม่(?:ได้)?อยู่ที่(?:สำนักงาน|ออฟฟิศ)|นอกสำนักงาน",
    r"(?:אני|הנני|אהיה) (?:\S+ ){0,3}?(?:בחופשה|בחופשת|בחופש|במילואים)"
    r"|(?:אינני|איני|לא אהיה) (?:\S+ )?(?:במשרד|זמין|זמינה)",
    "(?:أنا|سأكون) (?:[^ ]+ ){0,2}?(?:في (?:إجازة|مهمة)|خارج المكتب)",
    # Japanese, Chinese, Korean
    "(?:休暇|休業|出張|不在|お休み)(?:中|のため|を|に|の|と|し|で|いただ).{0,24}(?:おり|いた|ます|ません|です)|退職(?:いたし"
    "|し)ました",
    "休假|年假|出差|不在(?:办公室|辦公室|公司)|外出|度假|请假|請假|已离职|已離職",
    "(?:휴가|출장|부재|육아휴직) ?(?:중|으로|기간)|자리를 비우|퇴사(?:하였|했)",
)
NOTE = wording(
    r"(?:limited|no|without|restricted|intermittent|sporadic) access to (?:my )?(?:e-?)?mails?|in my absence",
    r"(?:limited|no|restricted) (?:e-?mail|internet) access|\b(?:delay\w*|slow\w*)\b.{0,20}\b(?:response|reply"
    r"|replies)",
    r"(?:response|reply|replies)\b.{0,20}\bdelay\w*|get back to you|\bback (?:in|to) (?:the )?office"
    r"|will (?:be )?back (?:on|in)\b",
    r"(?:reply|respond|answer|get back|read|attend)\b.{0,60}\b(?:my return|when i|return|back)|(?:on|upon"
    r"|after) my return",
    r"\burgent\b|\bemergenc\w+|\bimmediate (?:assistance|attention)",
    r"(?:mailbox|e-?mails?|messages?|inbox) (?:is|are|will)(?: not|n['’]t| no longer) (?:be(?:ing)? )?(?:read"
    r"|monitored|forwarded)",
    r"dringend\w*|kein\w* zugriff|eingeschränkt\w* zugriff|nicht (?:weitergeleitet|gelesen|bearbeitet)|meiner rückkehr",
    r"wieder (?:erreichbar|im (?:büro|hause?|dienst)|für sie da|zurück)|meine vertretung|wenden sie sich"
    r"|meiner abwesenheit",
    r"\bspoed\w*|dringende? |beperkt\w* toegang|mijn terug\w+|niet (?:gelezen|doorgestuurd)|mijn afwezigheid",
    r"urgen\w+|mon retour|de retour|accès (?:limité|restreint)|mon absence|ne (?:consulterai|lirai) pas|adresser vos",
    r"mi (?:regreso|vuelta|retorno|ausencia)|acceso (?:limitado|restringido)|(?:regreso|vuelvo|regresaré"
    r"|volveré) (?:el|al)\b",
    r"urg[eê]n\w+|meu (?:regresso|retorno)|acesso limitado|minha ausência|caso pretenda",
    r"mio (?:rientro|ritorno)|rientr(?:o|erò)\b|accesso (?:limitato|alla posta)|mia assenza",
    r"piln\w+|(?:moim )?powrocie|wracam|wrócę|ograniczon\w+ dostęp|nie (?:są|będą) (?:przekazywane|czytane)|zastępuje",
    r"naliehav\w+|po (?:mojom )?návrate|vrátim|quan torni|la meva (?:tornada|absència)",
    r"naléhav\w+|neodkladn\w+|po (?:mém )?návratu|vrátím|omezen\w+ přístup|zastupuje",
    r"термінов\w+|після (?:мого )?повернення|спешн\w+|завръщане\w*",
    r"срочн\w+|возвращени\w+|вернусь|доступ к почте|обращайтесь",
    r"brådskande|jag är tillbaka|återkommer|läser inte|hastesag\w*|jeg er tilbage|er tilbage|\bhaster\b|videresend\w*"
    r"|hastesak\w*|tilbake\b",
    r"kiireelli\w+|palattuani|\ben(?:kä)? lue\b",
    r"\bacil\b|döndüğümde|dönüşümde|sürgős|visszatér\w+|urgenț\w+|(?:mea|la) întoarcere|επείγ\w+|επιστροφή μου",
    r"\bhitn\w+|po (?:mojem )?povratku|\bnujn\w+|po vrnitvi|kiireloomul\w+|\bnaas(?:tes|misel)|steidzam\w+|atgriešanās",
    r"\bskubi\w+|\bgrįž\w+|khẩn cấp|(?:quay|trở) (?:lại|về)|mendesak|(?:setelah|selepas) (?:saya )?kembali",
    "เร่งด่วน|กลับมา|דחופ|דחוף|שובי|חזרתי|عاجل|عودتي",
    "お急ぎ|緊急|順次(?:ご)?(?:返信|回答|対応)|急事|紧急|緊急|尽快回复|儘快回覆|回到办公室|급한|긴급|복귀",
)
"""What only such notes say: of the return, of urgent cases, of mail that nobody reads."""
THANKS = wording(
    r"(?:\w+[,!.]? )?(?:\w+[,!.]? )?thank(?:s| you)(?: (?:very|so) much)? for (?:your|the|contacting|writing|reaching"
    r"|mail)",
    r"vielen dank für|danke für|merci (?:pour|de) votre|gracias por|obrigad[oa] (?:por|pel[oa])|agradeço (?:o|a|pel)",
    r"grazie per|gràcies pe[lr]",
    r"bedankt voor|dank (?:u|je)? ?voor|dziękuj\w+ za|děkuj\w+ za|ďakuj\w+ za|спасибо за|благодар\w+ за|дякую за",
    r"hvala (?:vam )?(?:za|na)|tänan|aitäh|paldies par|ačiū už|dėkoj\w+ už|cảm ơn|terima kasih (?:atas|telah|kerana)",
    "ขอบคุณ|תודה על|שוב תודה|شكر",
    r"tack för|tak for|takk for|kiitos |köszönöm|mulțumesc|teşekkür|e-postanız için|ευχαριστ",
    "ありがとうございます|お世話になっております|感谢您|感謝您|감사합니다",
)

COURTESY = re.compile(
    r"\W*"
    + any_of(
        r"dear|hello|hi\b|good (?:morning|afternoon|day)|(?:kind|best|warm) (?:regards|wishes)|(?:yours )?sincerely"
        r"|regards|have a",
        r"sehr geehrte|liebe|guten tag|hallo|mit freundlichen|(?:viele|beste|freundliche|schöne|herzliche) grüße"
        r"|geachte|beste",
        r"met vriendelijke|bonjour|madame|monsieur|chère?|cordialement|bien (?:à vous|cordialement)|salutations|hola"
        r"|buen[oa]s",
        r"estimad|saludos|un saludo|atentamente|cordialmente|olá|bom dia|boa tarde|prezad|atenciosamente|cumprimentos"
        r"|melhores",
        r"buongiorno|buonasera|gentile|egregi|cordiali|distinti|dzień dobry|szanown|z poważaniem|pozdrawiam|dobrý den"
        r"|vážen",
        r"s pozdravem|здравствуйте|добрый|уважаем|с уважением|hej|hei|god dag|bästa|kære|hyvä|med vänlig"
        r"|(?:med )?venlig",
        r"vennlig|ystävällisin|merhaba|sayın|iyi günler|saygılar|tisztelt|üdvözlettel|bună ziua|stimat|cu stimă",
        r"dobrý deň|s pozdravom|доброго дня|добрий|вітаю|з повагою|здравейте|поздрави|καλημέρα|αγαπητ|με εκτίμηση",
        r"poštovan|srdačan|pozdravljeni|lep pozdrav|tere\b|parimate|lugupidamisega|labdien|ar cieņu|laba diena|sveiki"
        r"|pagarbiai|bon dia|benvolgu|xin chào|kính|trân trọng|selamat|salam\b|hormat",
        "สวัสดี|ขอแสดงความนับถือ|שלום|בברכה|مرحب|السلام|مع التحية|تحيات",
        "您好|你好|尊敬|此致|祝|안녕하세요|감사|敬具|よろしく|どうぞ|ご迷惑",
    ),
    re.IGNORECASE,
)
"""How a greeting and a farewell begin."""

ASKS = wording(
    # English
    r"\bplease (?!(?:contact|call|reach|write|e-?mail|direct|refer|forward|get|note|be|turn|address|accept|expect|allow"
    r"|bear|resend|speak|see|dial|use|do not|don['’]t|feel|find|keep|click|type|include|visit|log|leave|wait)\b"
    r"|send (?:your|any|all|urgent|an?|it|them|e-?mails?|messages?)\b)",
    r"\b(?:could|can|would|will) you\b|\bwe (?:\w+ )?(?:need|want|require)\b|\bi (?:\w+ )?(?:need|want)\b|\b(?:i"
    r"|we)['’]d like",
    r"\b(?:we|i) would like|\bkindly (?!contact|note|e-?mail|call|write|direct)|\basap\b",
    # German, Dutch
    r"\b(?:können|könnten) sie\b|\bkönntet ihr\b|\bkannst du\b|\b(?:brauche|benötige|bräuchte|möchte)n?\b"
    r"|hätte(?:n)? gern",
    r"\bbitte (?!(?:an|wenden|kontaktieren|beachten|rufen|richten|haben|antworten|nutzen|sehen|warten|schreiben sie an"
    r"|senden sie (?:ihre|diese|eine))\b)",
    r"\bkun(?:t|nen)? (?:u|je|jij|jullie)\b(?!.{0,40}(?:bereiken|contact|terecht|bellen|mailen|wenden|antwoorden))",
    r"\bgraag (?!contact)|\bnodig\b|\balstublieft\b|\bstuur\b",
    # French, Spanish, Portuguese, Italian
    r"\bp(?:ouvez|ourriez)-vous|\bpeux-tu|besoin d|\bje (?:souhaite|voudrais)|nous (?:souhaitons|voudrions)|\benvoyez",
    r"\bmerci (?:de (?!contacter|vous adresser|joindre|ne pas|noter|votre|prendre|n)|d['’](?!adresser|écrire|appeler"
    r"|avance))",
    r"\bveuillez (?!contacter|vous|adresser|noter|joindre|ne pas|prendre|appeler|agréer|recevoir|croire|trouver)",
    r"\b(?:puede|podría|pueden|podrían|puedes)\b(?! (?:contactar|dirigirse|escribir|llamar|comunicarse))",
    r"\bpor favor,? (?!contact|comun|póngase|llame|escrib|diríj|no |dirij|tenga|não|entre em|ligue|escrev|contat)",
    r"\bnecesit(?:o|amos)\b|\bquisi(?:era|éramos)|\benvíen|\b(?:preciso|precisamos|gostaria|gostaríamos|enviem)\b",
    r"\b(?:pode|podem|poderia|poderiam)\b(?! (?:contactar|contatar|ligar|escrever))",
    r"\b(?:può|potete|potrebbe|potreste|puoi)\b(?! (?:contattare|rivolger|scrivere|chiamare))|\bvorre(?:i|mmo)"
    r"|\b(?:mandate|inviate)mi",
    r"\b(?:per favore|si prega di),? (?!contatt|rivolg|scriv|chiam|non)|(?:ho|abbiamo) bisogno",
    # Polish, Czech, Russian
    r"\bprosz(?:ę|imy) (?!(?:o )?(?:kontakt|skontaktow|dzwoni|pisa|nie |na ni|kierowa))|potrzebuj|\bmógł?by|\bmogłaby"
    r"|chciał",
    r"\b(?:pošlete|zašlete)|potřebuj|\bmohl(?:i|a)? byste|\bpošlite|\bzašlite|\bpotrebuj|\bmohl[ia] by ste",
    r"(?<!kontaktujte )(?<!volejte )(?<!obraťte se )(?<!obráťte sa )(?<!pište )(?<!píšte )"
    r"\bprosím(?:e|te)? (?!(?:o )?(?:kontakt|volejte|volajte|obraťte|obráťte|neodpov))",
    r"пришлите|вышлите|отправьте|могли бы|можете ли|прошу (?!обращ|связ)|нам нужн|мне нужн|необходим",
    # Swedish, Danish, Norwegian, Finnish, Turkish
    r"\bskicka\b|\bvi behöver|\bjag behöver|\bk(?:an|unde) (?:du|ni)\b(?! (?:kontakta|ringa|nå|mejla|vända))",
    r"\bsend\b(?! (?:en|din) )|\bvi (?:har brug|trenger|skal bruge|behøver)|\bkan (?:du|i|dere)\b(?! (?:kontakte"
    r"|ringe|skrive))",
    r"\bvoi(?:tteko|tko|sitteko|sitko)|lähettäi?si|lähettäkää|\btarvits",
    r"gönder(?:in|ir|men|ebil)|rica eder|ihtiyac|istiyor",
    # Catalan, Hungarian, Romanian, Greek, Ukrainian, Bulgarian
    r"\benvieu|\bnecessit(?:o|em)\b|\bvoldr(?:ia|íem)\b|\bküldj|\bszeretn[ée]|\bszükség(?:em|ünk)",
    r"\btrimite|\b(?:am|avem) nevoie|\baș dori|\bam dori|στείλ(?:τε|ετε)|χρειαζόμαστε|χρειάζομαι|θα θέλαμε",
    r"надішліть|потрібн|чи могли б|чи можете|изпратете|нуждаем|бихте ли|трябва",
    # Croatian, Serbian, Slovenian, Estonian, Latvian, Lithuanian
    r"\bpoša?lji\w*|\btreba(?:m|mo)\b|\bpotrebuje(?:m|mo)\b|\bmožete li\b|\bsaatke\b|\bvajame\b|\bvajan\b|\bsooviksi",
    r"\b(?:nosūtiet|atsūtiet|vajag|nepieciešam\w+|vēlamies)|\b(?:atsiųskite|reikia|norėtume|norėčiau)",
    # Vietnamese, Indonesian and Malay, Thai, Hebrew, Arabic
    r"\b(?:chúng )?tôi cần\b|\bgửi cho\b|\btolong\b|\bkirimkan\b"
    r"|\b(?:kami|saya) (?:perlu|butuh|membutuhkan|memerlukan)",
    "ต้องการ|(?:ส่ง|ขอ)ใบ|(?:שלחו|שלח) |צריכים|זקוקים|أرسلوا|إرسال|نحتاج|نريد",
    # Japanese, Chinese, Korean
    "(?<!ご連絡)(?<!ご了承)(?<!お電話)(?<!お待ち)(?:ください|下さい)|いただけ(?:ます|ない)|(?:送付|発行|手配"
    "|対応).{0,6}お願い",
    "[请請](?!联系|聯繫|联络|聯絡|洽|致电|勿|不要|注意|谅解|见谅|直接联系|等待|稍候|您谅解|假|發郵件|发邮件)|能否|麻烦"
    "|(?<!如)(?<!如有)需要",
    "(?:보내|알려|확인해|발급해|처리해|제출해) ?주|부탁|필요합니다",
)
"""Requests, save for those that such notes make: to contact somebody else, not to answer, to wait."""
