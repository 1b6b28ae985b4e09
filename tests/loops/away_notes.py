"""Out-of-office notes as mailboxes write them, by language (ISO 639-1), none of them marked by a header."""

NOTES: dict[str, tuple[str, ...]] = {
    "en": (
        "Hi,\n\nI'm currently out of the office and will be back on Monday, 9 March. "
        "For anything urgent please contact my colleagues at office@partner.example.\n\nBest,\nSam",
        "Thanks for reaching out! I am on parental leave until September and will not be checking my inbox.",
        "Hello, I will be travelling from 3 to 10 March with limited access to email, so my reply may be delayed.",
    ),
    "de": (
        "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ich bin vom 2. bis 13. März nicht im Büro und habe keinen "
        "Zugriff auf meine E-Mails. In dringenden Fällen wenden Sie sich bitte an vertrieb@partner.example.\n\n"
        "Viele Grüße\nSam",
        "Ich bin bis einschließlich 13.03. in Elternzeit. Ihre E-Mail wird nicht weitergeleitet.",
        "Danke für Ihre Mail. Derzeit befinde ich mich auf Dienstreise und antworte nach meiner Rückkehr.",
    ),
    "nl": (
        "Beste,\n\nBedankt voor uw e-mail. Ik ben afwezig tot en met 13 maart. "
        "Voor dringende zaken kunt u contact opnemen met mijn collega's.\n\nMet vriendelijke groet,\nSam",
        "Momenteel ben ik op vakantie. Uw bericht wordt niet doorgestuurd.",
    ),
    "fr": (
        "Bonjour,\n\nJe suis actuellement absent du bureau et serai de retour le 16 mars. "
        "En cas d'urgence, veuillez contacter mes collègues : bureau@partner.example.\n\nCordialement,\nSam",
        "Merci de votre message. Je suis en déplacement jusqu'au 13 mars avec un accès limité à ma messagerie.",
        "Bonjour, je serai en congé maternité du 2 mars au 30 juin. Merci d'adresser vos demandes à l'accueil.",
    ),
    "es": (
        "Hola:\n\nEn este momento me encuentro fuera de la oficina hasta el 16 de marzo. "
        "Para asuntos urgentes puede escribir a oficina@partner.example.\n\nSaludos,\nSam",
        "Gracias por su correo. Estoy de vacaciones y responderé a mi regreso.",
        "Estaré de baja por paternidad hasta junio, sin acceso al correo.",
    ),
    "pt": (
        "Olá,\n\nEncontro-me ausente do escritório até 16 de março. "
        "Em caso de urgência, por favor contacte os meus colegas.\n\nCumprimentos,\nSam",
        "Agradeço o seu contato. Estou em férias e responderei assim que retornar.",
    ),
    "it": (
        "Buongiorno,\n\nsono assente dall'ufficio fino al 16 marzo. "
        "Per questioni urgenti potete scrivere a ufficio@partner.example.\n\nCordiali saluti\nSam",
        "Grazie per la sua email. Sarò in ferie fino al 13 marzo e risponderò al mio rientro.",
    ),
    "pl": (
        "Dzień dobry,\n\ndziękuję za wiadomość. Przebywam na urlopie do 13 marca i nie mam dostępu do poczty. "
        "W pilnych sprawach proszę o kontakt z biurem.\n\nPozdrawiam\nSam",
        "Do 13 marca jestem nieobecna. Odpowiem po powrocie.",
    ),
    "cs": (
        "Dobrý den,\n\nděkuji za Váš e-mail. Do 13. března čerpám dovolenou. "
        "V naléhavých případech kontaktujte prosím mé kolegy.\n\nS pozdravem\nSam",
        "Momentálně nejsem v kanceláři, odpovím po návratu.",
    ),
    "sk": (
        "Dobrý deň,\n\nďakujem za Váš e-mail. Do 13. marca čerpám dovolenku. "
        "V naliehavých prípadoch kontaktujte mojich kolegov.\n\nS pozdravom\nSam",
        "Momentálne nie som v kancelárii, odpoviem po návrate.",
    ),
    "ru": (
        "Добрый день!\n\nЯ нахожусь в командировке до 13 марта. "
        "По срочным вопросам пишите на office@partner.example.\n\nС уважением,\nСэм",
        "Спасибо за ваше письмо. Сейчас я в отпуске, отвечу после возвращения.",
    ),
    "uk": (
        "Доброго дня!\n\nДякую за лист. Я у відпустці до 13 березня. "
        "З термінових питань звертайтеся до моїх колег.\n\nЗ повагою,\nСем",
        "Наразі я перебуваю у відрядженні та відповім після повернення.",
    ),
    "bg": (
        "Здравейте,\n\nБлагодаря за съобщението. В отпуск съм до 13 март. "
        "При спешни случаи се обърнете към колегите ми.\n\nПоздрави,\nСам",
        "В момента съм извън офиса и ще отговоря след завръщането си.",
    ),
    "sv": (
        "Hej!\n\nTack för ditt mejl. Jag är inte på kontoret förrän den 16 mars. "
        "Vid brådskande ärenden, kontakta mina kollegor.\n\nMed vänlig hälsning\nSam",
        "Jag är föräldraledig till och med juni och läser inte min e-post.",
    ),
    "da": (
        "Hej\n\nTak for din mail. Jeg holder ferie til og med den 13. marts. "
        "Haster det, så kontakt mine kolleger.\n\nVenlig hilsen\nSam",
        "Jeg er på barsel indtil juni. Din mail bliver ikke videresendt.",
    ),
    "nb": (
        "Hei,\n\nTakk for e-posten. Jeg er ikke på kontoret før 16. mars. "
        "Ved hastesaker, kontakt mine kolleger.\n\nVennlig hilsen\nSam",
        "Jeg er på tjenestereise og svarer når jeg er tilbake.",
    ),
    "fi": (
        "Hei,\n\nKiitos viestistäsi. Olen vuosilomalla 13. maaliskuuta saakka. "
        "Kiireellisissä asioissa ota yhteyttä kollegoihini.\n\nYstävällisin terveisin\nSam",
        "En ole tällä hetkellä toimistolla, vastaan palattuani.",
    ),
    "tr": (
        "Merhaba,\n\nE-postanız için teşekkür ederim. 13 Mart'a kadar yıllık izindeyim. "
        "Acil konular için çalışma arkadaşlarımla iletişime geçebilirsiniz.\n\nSaygılarımla\nSam",
        "Şu anda ofis dışındayım, döndüğümde yanıtlayacağım.",
    ),
    "hu": (
        "Tisztelt Partnerünk!\n\nKöszönöm levelét. Március 13-ig szabadságon vagyok. "
        "Sürgős esetben forduljon kollégáimhoz.\n\nÜdvözlettel\nSam",
        "Jelenleg házon kívül vagyok, visszatérésem után válaszolok.",
    ),
    "ro": (
        "Bună ziua,\n\nVă mulțumesc pentru mesaj. Sunt în concediu până pe 13 martie. "
        "Pentru urgențe vă rog să contactați colegii mei.\n\nCu stimă\nSam",
        "În prezent sunt plecat din birou și voi răspunde la întoarcere.",
    ),
    "el": (
        "Καλημέρα σας,\n\nΕυχαριστώ για το μήνυμά σας. Είμαι σε άδεια έως τις 13 Μαρτίου. "
        "Για επείγοντα θέματα επικοινωνήστε με τους συναδέλφους μου.\n\nΜε εκτίμηση\nΣαμ",
        "Βρίσκομαι εκτός γραφείου και θα απαντήσω με την επιστροφή μου.",
    ),
    "hr": (
        "Poštovani,\n\nhvala na poruci. Na godišnjem sam odmoru do 13. ožujka. "
        "U hitnim slučajevima obratite se mojim kolegama.\n\nSrdačan pozdrav\nSam",
        "Trenutno nisam u uredu i odgovorit ću po povratku.",
    ),
    "sl": (
        "Pozdravljeni,\n\nhvala za sporočilo. Do 13. marca sem na dopustu. "
        "V nujnih primerih se obrnite na moje sodelavce.\n\nLep pozdrav\nSam",
        "Trenutno nisem v pisarni, odgovoril bom po vrnitvi.",
    ),
    "et": (
        "Tere!\n\nTänan kirja eest. Olen puhkusel kuni 13. märtsini. "
        "Kiireloomulistes küsimustes pöörduge minu kolleegide poole.\n\nParimate soovidega\nSam",
        "Viibin hetkel kontorist eemal ja vastan naastes.",
    ),
    "lv": (
        "Labdien!\n\nPaldies par vēstuli. Esmu atvaļinājumā līdz 13. martam. "
        "Steidzamos gadījumos lūdzu sazinieties ar maniem kolēģiem.\n\nAr cieņu\nSam",
        "Pašlaik neesmu birojā un atbildēšu pēc atgriešanās.",
    ),
    "lt": (
        "Laba diena,\n\nAčiū už laišką. Iki kovo 13 d. atostogauju. "
        "Skubiais klausimais kreipkitės į mano kolegas.\n\nPagarbiai\nSam",
        "Šiuo metu nesu biure, atsakysiu grįžęs.",
    ),
    "ja": (
        "お世話になっております。\n\n誠に勝手ながら、3月13日まで休暇をいただいております。\n"
        "お急ぎの場合は、弊社窓口までご連絡ください。\n\nよろしくお願いいたします。\nサム",
        "ただいま出張中のため、返信が遅れる場合がございます。",
        "ご連絡いただきありがとうございます。現在育児休業中のため、メールを確認できません。",
    ),
    "zh": (
        "您好！\n\n我目前正在出差，3月13日返回办公室。\n如有紧急事宜，请联系我的同事。\n\n此致\n敬礼",
        "感谢您的邮件。本人已休年假，将于3月16日回复您。",
        "您好，我於3月13日前不在辦公室，緊急事項請聯絡同事。",
    ),
    "ko": (
        "안녕하세요.\n\n3월 13일까지 출장으로 자리를 비웁니다.\n"
        "급한 용무는 동료에게 연락해 주시기 바랍니다.\n\n감사합니다.",
        "현재 연차 휴가 중이라 회신이 늦을 수 있습니다.",
    ),
    "vi": (
        "Xin chào,\n\nCảm ơn bạn đã gửi thư. Tôi đang nghỉ phép đến ngày 13 tháng 3. "
        "Nếu có việc khẩn cấp, vui lòng liên hệ đồng nghiệp của tôi.\n\nTrân trọng\nSam",
        "Hiện tôi đang đi công tác và sẽ trả lời khi quay lại.",
    ),
    "id": (
        "Halo,\n\nTerima kasih atas email Anda. Saya sedang cuti sampai 13 Maret. "
        "Untuk hal mendesak silakan hubungi rekan saya.\n\nSalam\nSam",
        "Saat ini saya sedang tidak berada di kantor dan akan membalas setelah kembali.",
    ),
    "th": (
        "สวัสดีค่ะ\n\nขอบคุณสำหรับอีเมล ดิฉันลาพักร้อนจนถึงวันที่ 13 มีนาคม กรณีเร่งด่วนกรุณาติดต่อเพื่อนร่วมงาน\n\nขอแสดงความนับถือ",
        "ขณะนี้ผมไม่อยู่ที่สำนักงาน จะตอบกลับเมื่อกลับมา",
    ),
    "he": (
        "שלום רב,\n\nתודה על פנייתך. אני בחופשה עד 13 במרץ. במקרים דחופים ניתן לפנות לעמיתיי.\n\nבברכה\nסם",
        "כרגע אינני במשרד, אשיב עם שובי.",
    ),
    "ar": (
        "مرحبًا،\n\nشكرًا لرسالتكم. أنا في إجازة حتى 13 مارس. للأمور العاجلة يرجى التواصل مع زملائي.\n\nمع التحية\nسام",
        "أنا خارج المكتب حاليًا وسأرد عند عودتي.",
    ),
    "ca": (
        "Bon dia,\n\nGràcies pel vostre missatge. Soc fora de l'oficina fins al 16 de març. "
        "Per a temes urgents podeu escriure als meus companys.\n\nSalutacions\nSam",
        "Estic de vacances i respondré quan torni.",
    ),
}

PEOPLE: dict[str, str] = {
    "sk": "Od pondelka som na dovolenke, pošlite prosím ponuku do piatku.",
    "uk": "Я у відпустці з понеділка, надішліть, будь ласка, пропозицію до п’ятниці.",
    "bg": "Съм в отпуск от понеделник, моля изпратете офертата до петък.",
    "hu": "Jövő héten szabadságon vagyok, kérem, küldjék el az ajánlatot péntekig.",
    "ro": "Sunt în concediu săptămâna viitoare, vă rog să ne trimiteți oferta până vineri.",
    "el": "Είμαι σε άδεια από Δευτέρα, στείλτε μας την προσφορά ως την Παρασκευή.",
    "hr": "Na godišnjem sam odmoru od ponedjeljka, pošaljite ponudu do petka.",
    "sl": "Od ponedeljka sem na dopustu, pošljite ponudbo do petka.",
    "et": "Olen järgmisel nädalal puhkusel, saatke pakkumine reedeks.",
    "lv": "Nākamnedēļ esmu atvaļinājumā, nosūtiet piedāvājumu līdz piektdienai.",
    "lt": "Kitą savaitę atostogauju, atsiųskite pasiūlymą iki penktadienio.",
    "ca": "Estic de vacances la setmana vinent, envieu l'oferta abans de divendres.",
    "vi": "Tuần sau tôi đang nghỉ phép, chúng tôi cần báo giá trước thứ Sáu.",
    "id": "Minggu depan saya cuti, tolong kirimkan penawaran sebelum Jumat.",
    "th": "สัปดาห์หน้าผมลาพักร้อน ต้องการใบเสนอราคาภายในวันศุกร์",
    "he": "אני בחופשה מיום ראשון, שלחו לנו את הצעת המחיר עד יום שישי.",
    "ar": "أنا في إجازة الأسبوع القادم، أرسلوا عرض السعر قبل الجمعة.",
    "zh": "我下周出差，请把合同发到我的邮箱。",
    "nb": "Jeg er på tjenestereise neste uke, send tilbudet før fredag.",
    "fi": "En ole ensi viikolla toimistolla, lähettäkää tarjous perjantaihin mennessä.",
}
"""People who go away and want something first, in the languages whose notes are told from such mail by fewer words."""
