"""What people write when they chase, complain, threaten or order a machine about, by language: tables of cues.

One cue a line, or several between free-standing bars. A cue is a regular expression over one sentence
with single blanks, in lower case and between word boundaries (after `~` without them, for scripts that have
blanks). `...` is a gap of at most 60 characters, <NAME> a list of _LISTS; a line that ends with a backslash goes on.
"""

import re

_LISTS = {
    "PATH": (
        "(portal|form|link|button|page|icon|tab|steps?|instructions?|path|sign[- ]?up|registration|"
        "log-?in|reset|guide|url)"
    ),
    "FORMULAR": "(portal|formular|link|button|seite|schritte?|anleitung|anmeldung|registrierung|login)",
    "LIEN": (
        "(portail|formulaire|lien|bouton|page|portal|formul[aá]rio|enlace|link|botón|página|portale|modulo|pagina)"
    ),
    "ASKED": (
        "(requests?|applications?|forms?|tickets?|registrations?|submissions?|claims?|orders?|po|nfr|access|documents?)"
    ),
    "SENT": (
        "(submitted|sent( in| you| over)?|filed|filled (out|in)|completed|requested|applied for|applied|"
        "raised|registered)"
    ),
    "DAY": (
        "((last|on|since) (week|month|mon|tues|wednes|thurs|fri|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
    ),
    "SINCE": (
        "(ago|already|yesterday|still|since|twice|earlier|but|on \\d+|(days?|weeks?|months?) (ago|now|later)|<DAY>)"
    ),
    "ANSWER": (
        "((a |an |any |your |the )?(reply|response|answer|feedback|confirmation|update|news|credentials|approval))"
    ),
    "LAWYER": "(lawyers?|attorneys?|solicitors?|legal (counsel|team|department))",
    "WE": "(i|we|they|he|she|(our |the |my |end )?(customer|client|company))",
    "FOUND": "(found|discovered|identified|noticed|detected|report|reporting|disclose|disclosing)",
    "LAW": "(gdpr|ccpa|lgpd|rgpd|dsgvo|ds-gvo|rodo|avg)",
    "AI": (
        "(ai|a\\.i\\.|bot|chat ?bot|assistant|llm|language model|classifier|model|parser|auto-?responder|gpt|agent)"
    ),
    "TAUGHT": (
        "(instructions?|prompts?|rules|directions|directives|guidelines|polic(y|ies)|context|commands?|messages)"
    ),
}

_CUE_TABLES = {
    "tried_and_failed": r"""
        <WE>( have|'ve| has)? (already )?(tried|followed|used|completed)...<PATH>...(but|and|yet)...\
            (fails?|failed|errors?|nothing)
        <WE>( have|'ve| has)? (already )?(tried|followed|used|completed)...<PATH>...(but|and|yet)...\
            (not|n't|no luck|still|never|rejected)
        already (tried|done|did|followed|used) \
            (that|this|it|so|both|all of|these|those|what you|your|the (same|<PATH>))
        (i|we)( have|'ve)? tried (that|this|it|both|your (steps|link|suggestion|instructions))
        <PATH>( [\w-]+){0,3} (did|does|do|is|was|are)(n't| not|nt) \
            (work|help|load|open|respond|accept|let|go through)\w*
        <PATH>( [\w-]+){0,3} keeps? (failing|rejecting|giving|returning|saying|showing)
        <PATH>( [\w-]+){0,3} (gives?|gave|returns?|returned|shows?|showed|throws?|ends? (in|with))( me|\
             us)?( only)? an? ([\w-]+ ){0,2}error
        <PATH>( [\w-]+){0,3} (times? out|timed out|fails? with|failed (again|twice|with)|leads? nowhere)
        to no avail | still the same (error|problem|issue) | tried (several|many|multiple|three|four|five) times
        (habe|haben)...(schon|bereits)...(versucht|probiert|ausprobiert|befolgt)
        <FORMULAR>( \w+){0,3} (funktioniert|funktionierte|geht|ging|klappt|lädt)( \w+){0,2} nicht
        (j'ai|nous avons) déjà (essayé|suivi|tenté) | <LIEN>( \w+){0,3} ne (fonctionne|marche)( \w+)? pas
        ya (lo )?(he|hemos) (intentado|probado|seguido) | ya (intenté|intentamos|probé|probamos)
        <LIEN>( \w+){0,3} n[oã]o? funcion(a|ó|ou)
        já (tentei|tentamos|segui|seguimos) | (ho|abbiamo) già (provato|tentato|seguito)
        <LIEN>( \w+){0,3} non funziona
        (al|reeds) geprobeerd | (link|formulier|portaal|pagina)( \w+){0,2} werkte?( \w+){0,2} niet
        już (s?próbowa\w+) | (link|formularz|portal|strona)( \w+){0,2} nie działa
        ~(試し|やってみ)(まし)?た(が|けど|のですが|ところ)
    """,
    "already_submitted": r"""
        (i|we|he|she|they|my colleague)( have|'ve| has)? (already )?<SENT>...<ASKED>...<SINCE>
        <SENT>...<ASKED>...(<DAY>|ago|yesterday)...(but|no|not|nothing|still|never)
        already (submitted|filed|filled (out|in)|applied|requested)...<ASKED>
        status (of|on|for) (my|our|the|this|that)( [\w-]+){0,3} <ASKED>
        any (update|news|progress) (on|about|regarding) (my|our|the|this)( [\w-]+){0,3} <ASKED>
        what (happened|became|has become) (to|of|with) (my|our|the)( [\w-]+){0,3} <ASKED>
        follow(ing)? up on (my|our)( [\w-]+){0,3} <ASKED>
        (have|has|'ve|did)(n't| not| never| yet to)( yet)? (heard?|received?|got|gotten|had|get)( from you)? \
            (back|anything|<ANSWER>)
        still (waiting for|waiting on|awaiting) <ANSWER>
        no (reply|response|answer|credentials|confirmation|news)( [\w-]+){0,2} \
            (came|arrived|received|since|so far|yet|until now)
        (antrag|formular|anfrage|registrierung|bestellung|bewerbung)...(eingereicht|ausgefüllt|abgeschickt|gestellt)
        (status|stand) (meine[rs]|unsere[rs]|der|des) (antrag|anfrage|registrierung|bestellung)\w*
        (noch|immer noch|bisher) keine (antwort|rückmeldung|zugangsdaten|bestätigung)
        (j'ai|nous avons) (déjà )?(soumis|envoyé|rempli|déposé)...(il y a|semaine|jours|depuis|mais)
        où en est (ma|notre) (demande|commande|inscription) | (toujours|encore) (pas|aucune)( \w+){0,3} réponse
        (envi(é|amos)|enviado|complet(é|amos))...(solicitud|formulario)...(hace|semana|días|pero)
        estado de (mi|nuestra) (solicitud|pedido)
        (aún|todavía) no (he|hemos) recibido | ainda não (recebi|recebemos) | status d[ao] (minha|nossa|meu|nosso)
        (envi(ei|amos)|preench(i|emos))...(formulário|solicitação|pedido)...(há|semana|dias|mas)
        (ho|abbiamo) (già )?(inviato|compilato)...(modulo|richiesta)...(fa|settiman\w+|giorni|ma)
        non (ho|abbiamo) ancora ricevuto
        (formulier|aanvraag)...(ingediend|ingevuld|verstuurd) | nog (steeds )?geen (antwoord|reactie)
        status van (mijn|onze) aanvraag
        (złoży|wysła|wypełni)\w+...(formularz|wniosek|zgłoszenie) | status (mojego|naszego) (wniosku|zgłoszenia)
        ~(申請|申込|フォーム).{0,20}(しましたが|済みですが|したのですが)|まだ.{0,10}(返信|返事|回答|連絡).{0,4}(ない|ありません)
    """,
    "escalation": r"""
        unacceptable | outrageous | disgrace(ful)? | ridiculous | appalling | a (bad )?joke | incompeten(t|ce)
        furious | angry | fed up
        (very|extremely|really|deeply|so|increasingly|highly|beyond) \
            (disappoint|frustrat|upset|unhapp|annoy|dissatisf)\w+
        (losing|lost|out of) (my |our |all )?patience | waste of (my|our) time
        (formal|official|file|filing|lodge|make|making|raise|raising) (a |an |my |our )?(formal |official )?complaint
        this is (a|my) complaint
        (want|wish|would like|like) to complain | this is an escalation
        (please|must|will|shall|going to|have to|need to|want to|am|i'm|are) (now )?escalat(e|ing)
        escalat(e|ed|ing) (this|it) (to|with|further)
        (third|fourth|fifth|3rd|4th|5th|tenth|umpteenth) (time|e-?mail|mail|reminder|attempt)
        (final|last) (warning|reminder)
        (speak|talk) (to|with) (your|a|the) (manager|supervisor|director|boss)
        nobody (ever )?(answers|replies|responds|helps|cares|has (answered|replied|responded))
        (ignored|ignoring) (us|me|my|our)
        (we|i) (will|shall|are going to|am going to) \
            (leave|terminate|go public|cancel (our|the) (partnership|contract|agreement))
        inakzeptabel | unzumutbar | unverschämt\w* | frechheit | nicht (akzeptabel|hinnehmbar)
        zum (dritten|vierten|wiederholten) mal
        (sehr|äußerst|extrem|wirklich) (enttäuscht|verärgert|unzufrieden|frustriert|wütend) | eskaliere?n?
        (dritte|letzte) (mahnung|erinnerung)
        inacceptable | inadmissible | scandaleux | (très|extrêmement|vraiment) (déçue?s?|mécontente?s?|frustrée?s?)
        (troisième|énième) (fois|relance)
        inaceptable | inadmisible | vergonzoso | (muy|sumamente) (decepcionad|molest|frustrad|insatisfech)\w+
        (tercera|cuarta) vez
        inaceitável | vergonhoso | (muito|extremamente) (decepcionad|desapontad|frustrad|insatisfeit)\w+
        (queja|reclamación|reclamação) formal
        inaccettabile | vergognoso | (molto|estremamente) (delus|arrabbiat|insoddisfatt)\w
        (terza|quarta|terceira) (volta|vez) | reclamo formale
        onacceptabel | schandalig | belachelijk | (zeer|erg|heel) (teleurgesteld|ontevreden|boos)
        voor de (derde|vierde) keer
        niedopuszczalne | skandaliczn\w+ | nie do przyjęcia | bardzo (rozczarowan|niezadowolon)\w+
        po raz (trzeci|czwarty|kolejny)
        ~受け入れられません|納得(でき|いき)ません|大変(遺憾|不満)|責任者を
    """,
    "legal": r"""
        legal (action|steps|proceedings|remedies) | law ?suit | cease[- ]and[- ]desist | subpoena | court order
        (sue|suing) (you|your|gitlab)
        (take|see) you (to|in) court | (notice|letter) of (breach|termination|default|claim|dispute) | in breach of
        breach of (the |our |this |your )?(contract|agreement|terms)
        (claim|claiming|liable for|seek|pay) (any |the |for )?damages
        (our|my|the) <LAWYER>( [\w-]+){0,2} will (contact|write|get|take|send|follow|pursue|be in touch)
        <LAWYER> ha(s|ve) been (instructed|informed)
        (instruct|instructed|involve|engage|inform)( \w+){0,2} (our|my|a) <LAWYER> | (contract|legal) dispute
        (trade ?mark|copyright|patent|ip) infringement | infring(es|ing|ed) (on )?(our|my)
        terminate (the|our) (partner(ship)? )?(agreement|contract)
        rechtliche schritte | anwalt (einschalten|beauftragen|beauftragt)
        (klage einreichen|verklagen|abmahnung|vertragsbruch|schadens?ersatz)
        action en justice | poursuites judiciaires | mise en demeure | porter plainte | (saisir|saisi) notre avocat
        dommages(-| et )intérêts
        acciones? legal(es)? | demandarlos | incumplimiento del? contrato | daños y perjuicios | burofax
        ação judicial | medidas (judiciais|legais|legales) | quebra de contrato | perdas e danos
        notificação extrajudicial
        azion[ei] legal[ei] | vie legali | diffida | inadempimento contrattuale | risarcimento
        juridische stappen | ingebrekestelling | contractbreuk | schadevergoeding | kroki prawne | pozew
        naruszeni[ae] umowy | odszkodowani[ea]
        ~法的(措置|手段)|訴訟|弁護士を通|契約違反|損害賠償
    """,
    "privacy": r"""
        (delete|erase|destroy) (all )?(of )?(my|our|his|her|their|any) (personal )?(data|information|details)
        remove (all )?my personal (data|information)
        right to (be forgotten|erasure|rectification) | (data )?subject access request | data subject request | dsar
        <LAW>( [\w-]+){0,4} (request|erasure|deletion|complaint|violation|breach|auskunft|löschung|anfrage|demande|\
            solicitud|pedido|richiesta|verzoek)
        (request|erasure|deletion|complaint|auskunft|löschung)( [\w-]+){0,4} <LAW>
        art(icle|ikel|\.)? ?(15|16|17|18|20|21)( \w+){0,2} <LAW>
        copy of (all )?(of )?(my|the) personal (data|information) | withdraw (my|our) consent | data breach
        (personal data|data protection|privacy) (breach|violation|complaint|incident|request)
        (personenbezogenen?|meine|unsere) daten( \w+){0,3} (löschen|gelöscht|herausgeben)
        (löschung|auskunft)( \w+){0,3} (meiner|personenbezogenen?) daten
        datenschutz(verletzung|vorfall|beschwerde|anfrage|verstoß) | datenpanne
        (supprimer|supprimez|effacer|effacez) (toutes )?(mes|nos) données | droit (à l'oubli|à l'effacement|d'accès)
        (elimin|borr|suprim)\w+ (todos )?(mis|nuestros) datos | derecho (al olvido|de supresión)
        (exclu|apag|elimin)\w+ (todos )?(os )?meus dados
        (cancell|elimin)\w+ (tutti )?(i )?(miei|nostri) dati | diritto all'oblio | direito ao esquecimento
        (verwijder|wis)\w* (al )?(mijn|onze) (persoons)?gegevens
        usun\w+ (moich|naszych|moje) dan(e|ych)( osobow\w+)? | datalek
        ~個人情報.{0,10}(削除|開示|漏)
    """,
    "security": r"""
        <FOUND>...(xss|csrf|sql injection|idor|rce|ssrf)...(in|on|of|with|at) \
            (your|the (partner )?(portal|site|page|login))
        <FOUND>...vulnerabilit(y|ies)...(in|on|of|with|at) \
            (your|the (partner )?(portal|site|website|page|login)|partners?\.)
        <FOUND> (an? |the )?([\w-]+ ){0,2}security (issue|hole|flaw|bug|problem|weakness|gap|vulnerability|concern)
        (responsible|coordinated|vulnerability) disclosure | bug bounty | proof[- ]of[- ]concept exploit
        security (breach|incident)(?! (response|management|policy|process|handling))
        (have|has|had|was|were) (been |got )?hacked
        (account|portal|login|mailbox|system|password|credentials|server)s?( [\w-]+){0,2} (was|were|is|been|got|be) \
            (hacked|compromised|leaked|stolen|exposed)
        (can|could|able to) (see|access|view|read|open|download)( [\w']+){0,2} (other|another) \
            (partner|compan|customer|reseller)\w*'?s?'? (data|deals?|records?|files?)
        (phishing|fraudulent|spoofed) (e-?mails?|mails?|sites?|messages?)...\
            (your name|pretend|claim|impersonat|from (you|gitlab))\w*
        sicherheits(lücke|problem|vorfall|leck)\w*
        (konto|account|zugang|passwort)( \w+){0,2} (gehackt|kompromittiert|gestohlen)
        (faille|vulnérabilité|incident) de sécurité | compte( \w+){0,2} (piraté|compromis)
        (vulnerabilidad|fallo|brecha|incidente) de seguridad
        (vulnerabilidade|falha|brecha|incidente) de segurança
        (falla|vulnerabilità|violazione|incidente) di sicurezza | cuenta( \w+){0,2} hackeada
        beveiligings(lek|incident) | account( \w+){0,2} gehackt | incydent bezpieczeństwa
        naruszeni\w+ bezpieczeństwa | luk[aęi] (w )?(zabezpiecze|bezpiecze)\w+
        ~脆弱性|不正アクセス|情報漏(洩|えい)
    """,
    "money_paid": r"""
        <WE>( have| has|'ve| had)? (already |just |also )?(paid|prepaid|wired)(?! (plan|tier|subscription|\
            licen[cs]es?|users?|seats?|version|courses?|support))
        (already|been|fully) paid | invoice (was|is) paid
        payment (was|has been|is) (already )?(made|sent|wired|transferred|processed|completed|done|debited)
        (i|we)( have|'ve)? (already )?(made|sent|completed|wired|transferred) \
            (the |our |a |full )?(payment|money|funds|amount)
        (charged|billed|debited) (us|me|twice|double|our|my) | (card|account) (was|has been|got) (charged|debited)
        double[- ]charged
        refund (me|us|our|my)
        (want|need|request|requesting|demand|expect|due) (a |an |our |my )?(full |immediate )?refund
        (our|my) money back
        (bereits|schon|doppelt|längst) (bezahlt|überwiesen|gezahlt|abgebucht) | geld zurück
        (rück)?erstattung (des|der|unser\w*)
        (j'ai|nous avons|avons|a) (déjà )?(payé|réglé|versé) | paiement (a (déjà )?été|est) (effectué|fait|envoyé)
        être remboursée?s?
        (hemos|he) (ya )?(pagado|abonado) | ya (pagamos|pagué) | pago (ya )?(fue|ha sido) (realizado|hecho|enviado)
        reembolso (del|de la|completo)
        já (pagamos|paguei|foi pago) | pagamento (já )?foi (feito|efetuado|realizado) | (abbiamo|ho) già pagato
        pagamento è( già)? stato
        (al|reeds) (betaald|overgemaakt) | zapłacili\w* | już (opłac|zapłac)\w+
        zwrot (pieniędzy|płatności|środków)
        ~(支払い?|入金|振込|振り込み)(は|を)?(すでに|既に)?(済み|完了|しました|いたしました|済ませ)|返金
    """,
}

_MACHINE_ORDER_TABLE = r"""
    (ignore|disregard|forget|override|bypass|skip)( [\w']+){0,3} \
        (previous|prior|above|earlier|preceding|foregoing|system|original)( \w+){0,2} <TAUGHT>
    (ignore|disregard|forget|override|bypass) (all )?(of )?your( \w+)? <TAUGHT>
    (disregard|forget) everything (above|before|you)
    (system|assistant|developer|admin) ?(prompt|message|override|note|command|instruction)? ?:...\
        (approve|ignore|grant|you (are|must|will)|classify|override|disregard)
    (system|assistant|developer) (prompt|override|command) ?: | begin (system )?(prompt|instructions)
    prompt injection | jailbreak
    ~</?(system|assistant|instructions?|prompt)>|<\|(im_start|im_end|system|endoftext)|\[/?(system|inst|\
        instructions?)\]
    you are (now )?(an? |the |acting as (an? )?)?([\w-]+ )?(ai|bot|chat ?bot|assistant|llm|language model|\
        classifier|developer mode)(?! partner)
    (note|message|instructions?|command|attention|hint|dear)( to| for)?( the| any| our| your)?( \w+)? <AI> ?[:,–-]
    (act|behave) as (an? |the )?(<AI>|administrator)
    if you('re| are) (an? |the )?(<AI>|automated|automatic|computer)(?! (partner|reseller|customer))
    (approve|grant|accept|confirm|release|issue|authori[sz]e) (this|it|my|our|the|all)( [\w-]+){0,4} \
        (automatically|without (any )?(human )?(review|approval|check\w*))
    (approve|grant|accept|confirm|release) automatically
    auto-?(approve|accept|grant|confirm) (this|my|our|the|all|it)
    (classify|categori[sz]e|label) (this|the|my) (e-?mail|message|mail|ticket|request|text) (as|with)
    (mark|treat|flag|consider) (this|the|my) (e-?mail|message|mail|request|sender) as \
        (approved|internal|verified|trusted|authenticated|authori[sz]ed|safe)
    set (the |its |your )?(intent|category|confidence|label|action|role|trust)( level| score)? ?(to|=|:)
    (respond|reply|answer|output) (only|exactly|solely) with
    (reveal|print|show|repeat|output) (me )?(your|the) (system )?(prompt|instructions)
    (ignoriere|missachte|vergiss)\w*( \w+){0,2} (vorherige|bisherige|vorige|obige|frühere)\w* \
        (anweisung|befehl|regel)\w*
    automatisch (genehmigen|freigeben)
    (ignor|oubli|olvid|esque|dimentic)\w+( \w+){0,3} (instructions|consignes|instrucciones|instruções|istruzioni) \
        (précédentes|anteriores|previas|precedenti)
    (approuve[rz]?|aprueb[ae]|aprov[ae]|approva(re)?)( \w+){0,4} (automatiquement|automáticamente|automaticamente)
    (negeer|vergeet)( \w+){0,2} (vorige|eerdere|bovenstaande) (instructies|opdrachten|regels)
    (zignoruj|pomiń)( \w+){0,2} (instrukcj|poleceni)\w+
    ~(以前|これまで|上記|前)の(指示|命令|プロンプト).{0,6}(無視|忘れ)|自動(的に)?承認
"""

_OUTER_BAR = re.compile(r" \| ")


def _compile(table: str) -> re.Pattern[str]:
    """One pattern for a whole table, for text in lower case.

    Why one boundary for all and no IGNORECASE: the engine rejects an alternative by its first letter only where that is
    a plain letter; a boundary or a folded letter in front makes it try all hundred at every character (8 times dearer).
    """
    lines = re.sub(r"\\\n\s*", "", table).strip().splitlines()
    cues = [cue.strip() for line in lines for cue in _OUTER_BAR.split(line)]
    words = "|".join(_cue(cue) for cue in cues if not cue.startswith("~"))
    return re.compile("|".join([rf"(?<!\w)(?:{words})(?!\w)", *(_cue(cue[1:]) for cue in cues if cue.startswith("~"))]))


def _cue(cue: str) -> str:
    while found := re.search(r"<([A-Z]+)>", cue):
        cue = cue.replace(found[0], _LISTS[found[1]])
    return cue.replace("(?!", "\0").replace("(", "(?:").replace("\0", "(?!").replace("...", ".{0,60}?")


CUES = {fact: _compile(table) for fact, table in _CUE_TABLES.items()}
MACHINE_ORDERS = _compile(_MACHINE_ORDER_TABLE)
