"""What ticket systems and mail gateways write, none of it marked by a header; and people who write nearly the same."""

ACKNOWLEDGEMENTS = (
    "Thank you for contacting us. Your ticket number is {}.",
    "We have received your request. Case #{} was created for you.",
    "Hi Sam,\n\nThanks for getting in touch! A support agent will get back to you within one business day. "
    "Your reference is #{}.",
    "This is to confirm that we got your email. Ticket ID: {}",
    "Your inquiry has been submitted. Reference number: {}",
    "A new ticket has been created for you: #{}",
    "##- Please type your reply above this line -##\n\n"
    "Your request ({}) has been received and is being reviewed by our support staff.",
    "Ihre Anfrage ist bei uns eingegangen. Die Vorgangsnummer ist {}.",
    "Ticket #{} wurde für Sie angelegt. Wir melden uns in Kürze.",
    "Vielen Dank für Ihre Nachricht. Wir haben Ihre Anfrage unter der Nummer {} erfasst.",
    "Uw melding is geregistreerd. Ticketnummer: {}.",
    "Bedankt voor uw bericht. Wij hebben uw vraag ontvangen onder nummer {}.",
    "Votre demande a été enregistrée. Numéro de dossier : {}.",
    "Nous accusons réception de votre message. Numéro de ticket : {}.",
    "Nous avons bien reçu votre demande n° {} et vous répondrons dans les plus brefs délais.",
    "Hemos recibido su consulta. Número de caso: {}.",
    "Gracias por contactarnos. Su caso número {} ha sido creado.",
    "Recebemos a sua mensagem. Número do chamado: {}.",
    "Obrigado por entrar em contato. O seu chamado {} foi aberto.",
    "Abbiamo ricevuto la sua richiesta. Numero di ticket: {}.",
    "Grazie per averci contattato. La sua richiesta n. {} è stata presa in carico.",
    "Otrzymaliśmy Twoje zgłoszenie. Numer zgłoszenia: {}.",
    "Dziękujemy za kontakt. Zgłoszenie nr {} zostało zarejestrowane.",
    "Váš požadavek byl zaregistrován pod číslem {}.",
    "Vaša požiadavka bola zaregistrovaná. Číslo požiadavky: {}.",
    "Ваше обращение зарегистрировано. Номер обращения: {}.",
    "Здравствуйте! Ваша заявка №{} принята в работу.",
    "Ваш запит зареєстровано. Номер запиту: {}.",
    "Tack för ditt mejl. Vi har mottagit ditt ärende med ärendenummer {}.",
    "Vi har modtaget din henvendelse. Sagsnummer: {}.",
    "Vi har mottatt din henvendelse. Saksnummer: {}.",
    "Olemme vastaanottaneet viestisi. Tikettinumero: {}.",
    "Talebiniz alınmıştır. Talep numarası: {}.",
    "Köszönjük megkeresését. Bejelentését {} számon rögzítettük.",
    "Solicitarea dumneavoastră a fost înregistrată cu numărul {}.",
    "Το αίτημά σας καταχωρήθηκε με αριθμό {}.",
    "Yêu cầu của bạn đã được tiếp nhận. Mã yêu cầu: {}.",
    "Permintaan Anda telah kami terima. Nomor tiket: {}.",
    "お問い合わせを受け付けました。受付番号：{}",
    "お問い合わせありがとうございます。受付番号 {} にて承りました。",
    "您的请求已提交，我们已收到您的邮件。工单编号：{}",
    "我們已收到您的來信，案件編號：{}",
    "문의가 접수되었습니다. 접수번호: {}",
)
"""`{}` is the ticket's number."""

CHALLENGES = (
    "Your message is being held. To have it delivered, please follow this link: https://a.example/{}",
    "This mailbox is protected by Gatekeeper. Please click https://a.example/{} to verify that you are a real person.",
    "Your email has not yet been delivered. Reply to this message to release your mail {} from the waiting list.",
    "To control spam, I only accept mail from people I know. Please click https://a.example/{} "
    "to request that I add you to the list.",
    "Your message has been waitlisted. To get your message delivered, visit https://a.example/{}",
    "Please confirm your message {} by replying to this mail; until then it is kept in quarantine.",
    "Ihre Nachricht wird zurückgehalten. Bitte bestätigen Sie über diesen Link, dass Sie ein Mensch sind: "
    "https://a.example/{}",
    "Cette boîte est protégée contre le spam. Pour que votre message soit remis, cliquez sur https://a.example/{}",
    "Su mensaje está retenido. Para que sea entregado, confirme su dirección aquí: https://a.example/{}",
)

PEOPLE = (
    "A new case was created for us, number 4711. Please close it.",
    "Ihr Ticket 4711 ist für uns erledigt, wir haben das Angebot.",
    "Nous avons bien reçu votre contrat, numéro de dossier 12. Il sera signé demain.",
    "Su caso 4711 sigue sin respuesta desde el lunes.",
    "Our firewall kept your last mail in quarantine. Send it once more, please.",
    "We received your quote with the number 12 and take it.",
)
