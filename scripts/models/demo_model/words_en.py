"""English word lists for the generator of other prompts."""

from __future__ import annotations


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.replace("\n", " ").split(";") if word.strip()]


WORDS: dict[str, list[str]] = {
    "topic": _list("""
        climate change; the Roman Empire; photosynthesis; black holes; jazz; the stock market; volcanoes;
        sleep; chess; democracy; the French Revolution; gravity; vaccines; the human heart; quantum
        computers; whales; coffee; tea; chocolate; electric cars; solar energy; nuclear power; the moon
        landing; dinosaurs; evolution; DNA; the brain; memory; dreams; music theory; oil painting;
        Shakespeare; poetry; the Olympic Games; football; tennis; cricket; marathon running; yoga;
        meditation; nutrition; vitamins; diabetes; allergies; the immune system; antibiotics; blockchain;
        Bitcoin; machine learning; neural networks; robots; drones; satellites; the Internet; Wi-Fi;
        Bluetooth; encryption; passwords; DNS; TCP; IP addresses; FTP; HTML; CSS; JSON; XML; databases;
        compilers; operating systems; recursion; pointers; hash tables; binary search; sorting algorithms;
        unit tests; version control; Docker; Git; Kubernetes; cloud computing; GDP; unemployment; interest
        rates; taxes; mortgages; pensions; insurance; deflation; supply and demand; globalisation; trade
        wars; the euro; the dollar; banking; credit cards; budgeting; marketing; leadership; teamwork; time
        management; job interviews; remote work; burnout; public speaking; negotiation; earthquakes;
        tsunamis; hurricanes; glaciers; rainforests; coral reefs; deserts; rivers; mountains; islands;
        tides; the water cycle; rainbows; lightning; clouds; the seasons; the solar system; Mars; Jupiter;
        comets; galaxies; the Big Bang; relativity; thermodynamics; magnetism; electricity; batteries;
        engines; bridges; skyscrapers; bicycles; trains; aeroplanes; ships; submarines; traffic; trams;
        motorways; cooking; baking; sourdough; cheese; wine; pasta; sushi; curry; barbecue; salads; soups;
        gardening; roses; tomatoes; compost; bees; butterflies; ants; spiders; snakes; sharks; elephants;
        tigers; wolves; penguins; owls; cats; dogs; horses; hamsters; parrots; fish; philosophy; ethics;
        free will; happiness; love; friendship; loneliness; grief; anger; courage; justice; honesty;
        capitalism; socialism; the Cold War; World War II; the Middle Ages; ancient Egypt; ancient Greece;
        the Vikings; the Silk Road; the Renaissance; the Industrial Revolution; slavery; women's rights;
        human rights; migration; the United Nations; the European Union; elections; the constitution;
        courts; prisons; police work; firefighters; schools; universities; homework; exams; reading;
        handwriting; spelling; grammar; punctuation; dictionaries; libraries; museums; theatres; cinemas;
        photography; fashion; shoes; tattoos; furniture; architecture; housing; parks; pets; toys; board
        games; video games; card games; magic tricks; puzzles; crosswords; riddles; jokes; ghosts; vampires;
        dragons; fairy tales; myths; legends; science fiction; superheroes; comics; anime; ballet; opera;
        rock music; guitars; pianos; violins; drums; hip hop; podcasts; newspapers; television; radio;
        advertising; smartphones; laptops; printers; keyboards; cameras; headphones; washing machines;
        refrigerators; plumbing; paint; concrete; wood; steel; plastic; recycling; waste; pollution; air
        quality; noise; drinking water; fishing; farming; probability; statistics; algebra; geometry;
        calculus; prime numbers; pi; percentages; decimals; multiplication; chemical bonds; acids and bases;
        the periodic table; atoms; molecules; lasers; X-rays; ultrasound; surgery; first aid; pregnancy;
        babies; toddlers; teenagers; parenting; marriage; divorce; weddings; funerals; birthdays; Christmas;
        Easter; Ramadan; Halloween; New Year's Eve; holidays; camping; hiking; skiing; surfing; sailing;
        diving
        """),
    "thing": _list("""
        a bicycle; a kettle; a broken lamp; a washing machine; my laptop; my phone; an old clock; a wooden
        chair; a tent; a suitcase; a garden fence; a bookshelf; a birthday cake; an omelette; a pizza;
        pancakes; a loaf of bread; rice; a cup of tea; a cocktail; a lemon tart; lasagne; dumplings; a bowl
        of soup; a roast chicken; a salad; a sandwich; a kite; a paper plane; a snowman; a sandcastle; a
        scarf; a jumper; a dress; a tie; a button; a zip; a pair of jeans; a guitar; a piano; a violin; a
        camera; a printer; a router; a website; a spreadsheet; a podcast; a blog; a novel; a business plan;
        a birthday party; a wedding; a picnic; a road trip; a flight; a hotel; a train ticket; a visa; a
        passport; a bank account; a mortgage; a rental contract; a used car; a driving licence; a puppy; a
        kitten; a goldfish; a rabbit; a tomato plant; a rose bush; a lawn; a compost heap; a greenhouse; a
        fireplace; a roof; a leaking tap; a blocked sink; a dripping pipe; a squeaky door; a flat tyre; a
        puncture; a headache; a cold; a nosebleed; a sunburn; a blister; a mosquito bite; a sprained ankle;
        a broken nail; hiccups; insomnia; stress
        """),
    "place": _list("""
        Paris; London; Tokyo; Beijing; Shanghai; New York; Rome; Berlin; Madrid; Lisbon; Vienna; Prague;
        Cairo; Nairobi; Sydney; Toronto; Mexico City; Rio de Janeiro; Moscow; Istanbul; Dubai; Singapore;
        Seoul; Bangkok; Mumbai; Delhi; Iceland; Norway; Sweden; Finland; Ireland; Scotland; Wales; France;
        Spain; Portugal; Italy; Greece; Turkey; Egypt; Kenya; South Africa; Brazil; Argentina; Chile; Peru;
        Canada; Australia; New Zealand; Japan; China; India; Nepal; Hawaii; California; Texas; Florida;
        Alaska; the Alps; the Himalayas; the Sahara; the Amazon; Antarctica; Manchester; Leipzig; Lyon;
        Naples; Seville; Oslo; Boston; Chicago; Hangzhou; Chengdu; Kyoto; the countryside
        """),
    "person": _list("""
        Einstein; Newton; Darwin; Marie Curie; Napoleon; Julius Caesar; Cleopatra; Lincoln; Gandhi; Mandela;
        Mozart; Beethoven; Bach; Picasso; Van Gogh; Leonardo da Vinci; Michelangelo; Confucius; Socrates;
        Plato; Aristotle; Kant; Turing; Ada Lovelace; Steve Jobs; Tolstoy; Jane Austen; Dickens; Hemingway;
        Kafka; Galileo; Columbus; Genghis Khan
        """),
    "receiver": _list("""
        my boss; my landlord; my teacher; my grandmother; my sister; my brother; my best friend; a
        neighbour; a customer; the bank; the council; my insurance company; an airline; a supplier; the
        headmaster; my wife; my husband; my son; my daughter; a client; the support team; a pen friend; the
        mayor; a job applicant; my students; the whole team; my doctor; the landlady; a recruiter; the
        editor; my aunt; my parents; a colleague; the tax office
        """),
    "request": _list("""
        asking for a pay rise; asking for a day off; apologising for being late; complaining about the
        noise; cancelling my subscription; inviting them to dinner; thanking them for the present; asking
        for a refund; confirming our appointment; congratulating them on the new job; saying that I am ill;
        asking for directions; moving the meeting to Tuesday; announcing my resignation; asking about the
        opening hours; offering my help; reminding them to pay the invoice; asking for the slides; saying
        that the parcel was damaged; booking a table; asking them to water my plants; asking for feedback;
        announcing a product launch; declining the invitation; asking for the annual budget by Monday;
        asking to borrow a ladder; introducing myself; wishing them a happy birthday
        """),
    "form": _list("""
        poem; haiku; limerick; short story; fairy tale; song; letter; speech; blog post; newspaper article;
        review; report; press release; tweet; joke; riddle; dialogue; play; diary entry; product
        description; FAQ; advertisement; toast; cover letter; CV; job advertisement; complaint; invitation;
        thank-you note; apology; summary; outline; quiz; crossword; checklist; recipe; travel guide; manual;
        proposal; business plan; thesis; abstract; obituary; contract; screenplay; horror story; love
        letter; bedtime story; motto; headline; caption; LinkedIn post; newsletter; survey; presentation;
        podcast episode; radio play; sonnet; rap; nursery rhyme; essay; lesson plan; video script; email;
        slogan
        """),
    "code": _list("""
        Java; C; C++; C#; Go; Rust; Ruby; PHP; Perl; Swift; Kotlin; Scala; Haskell; Lua; R; MATLAB; Bash;
        PowerShell; TypeScript; HTML; CSS; assembly; Fortran; COBOL; Lisp; Prolog; Dart; Julia; Elixir;
        Erlang; OCaml; Clojure; F#; Visual Basic; Pascal; Zig; Solidity; YAML; regex; LaTeX; awk; sed;
        Scratch; Objective-C
        """),
    "task": _list("""
        sorts a list of numbers; reverses a string; counts words in a file; downloads a web page; sends an
        email; reads a CSV file; parses JSON; finds prime numbers; computes Fibonacci numbers; plays
        tic-tac-toe; draws a circle; resizes images; removes duplicate lines; converts Celsius to
        Fahrenheit; generates passwords; checks palindromes; connects to a database; starts a web server;
        scrapes headlines; plots a graph; zips a folder; deletes old logs; merges two PDF files; watches a
        directory; prints the calendar; solves a sudoku; shuffles a deck of cards; encrypts a message;
        translates Morse code; rolls two dice; renames music files by artist; backs up my documents; copies
        files to a USB stick; calculates a loan; tracks my expenses; shows a clock; makes a todo list; a
        snake game; computes the factorial; splits a bill; validates email addresses; queries the weather;
        converts currencies
        """),
    "command": _list("""
        shows free disk space; lists running processes; kills a process; finds empty folders; counts lines
        in a file; renames many files; searches text in files; shows the IP address; changes file
        permissions; mounts a disk; unpacks a tar archive; copies a folder over ssh; shows the newest files;
        finds the smallest files; shows memory use; restarts the network; shows the last logins; creates a
        user; finds files older than a week; prints the date
        """),
    "language": _list("""
        French; German; Spanish; Italian; Portuguese; Japanese; Korean; Russian; Arabic; Hindi; Dutch;
        Swedish; Polish; Turkish; Greek; Latin; Vietnamese; Thai; Hebrew; Finnish; Danish; Czech; Hungarian;
        Swahili; Ukrainian; Welsh
        """),
    "business": _list("""
        a bakery; a flower shop; a gym; a bookshop; a barber; a pizzeria; a law firm; a dentist; a bank; a
        travel agency; a car wash; a hotel; a zoo; a toy shop; a software company; a wine bar; a tea house;
        a pet shop; a charity; an airline; a brewery; a school; a yoga studio; a garage; a cinema; a
        supermarket; a pharmacy; a museum; a farm; a restaurant
        """),
    "subject": _list("""
        decimals; percentages; photosynthesis; the water cycle; verbs; adjectives; the Romans; volcanoes;
        maps; the heart; magnets; poetry; long division; multiplication tables; angles; symmetry; reading a
        clock; electricity; the planets; healthy eating; road safety; spelling; the alphabet; addition;
        negative numbers; equations; commas
        """),
    "grade": _list("""
        first graders; second graders; third graders; fifth graders; sixth graders; seventh graders; high
        school students; kindergarten children; adults; university students; beginners; grade 2; grade 6;
        grade 9; year ten; year one
        """),
    "audience": _list("""
        a primary school pupil; a child; a five-year-old; an expert; my grandmother; a beginner; a lawyer; a
        student; an engineer; an alien; a teenager; a politician; a ten-year-old; laypeople; a class of
        pupils; a manager; a nurse
        """),
    "adjective": _list("""
        red; cheap; old; lucky; broken; tiny; healthy; spicy; famous; strange; quiet; dangerous; beautiful;
        modern; heavy; boring; funny; romantic; serious; secret; wild; frozen; invisible; good; bad; best;
        new; young; big; easy; difficult
        """),
    "noun": _list("""
        cat; house; river; teacher; window; garden; car; phone; book; train; doctor; child; king; ship;
        cloud; apple; bottle; key; mirror; candle; robot; ticket; wallet; blanket; hammer; ladder; bridge;
        forest; island; kitchen; market; engine; shoe; coat; ring; letter; knife; spoon; pillow; clock;
        camera; violin; bird; horse; frog; snail; lemon; carrot; potato; stone; sand; snow; rain; wind;
        fire; shadow; star; moon; sun; planet; road; tunnel; castle; tower; farm; school; office
        """),
    "verb": _list("""
        run; swim; sing; cook; sleep; dance; drive; paint; read; write; fly; climb; fish; travel; study;
        argue; laugh; cry; shout; whisper; wait; win; lose; sell; buy; build; break; repair; clean; wash;
        iron; sew; knit; grow; plant; dig; dream
        """),
    "feeling": _list("""
        tired; sad; lonely; bored; nervous; happy; stressed; angry; hungry; sick; excited; homesick;
        confused; jealous; lost
        """),
    "question": _list(
        "what; why; how; when; where; who; which; how many; how much; how long; how far; how often; whose"
    ),
    "number": _list("""
        [1|2|3|4|5|6|7|8|9]; [1|2|3|4|5|6|7|8|9][0|1|2|3|4|5|6|7|8|9];
        [1|2|3|4|5|6|7|8|9][0|1|2|3|4|5|6|7|8|9][0|1|5|7|9]; [1|2|3|4|5|6|7|8|9][0|5]00;
        [12|35|48|96][0|1|2|3|4][0|4|6|8]; [two|three|four|six|seven|eight|ten|twelve|twenty]
        """),
    "digit": _list("1; 2; 3; 4; 5; 6; 7; 8; 9; 10; 11; 12; 15; 20"),
    "operator": _list("+; -; *; /; times; plus; minus; divided by; x; ^; mod"),
    "unit": _list("""
        kilometres; miles; pounds; kilograms; inches; centimetres; litres; gallons; degrees Celsius;
        Fahrenheit; seconds; hours; days; euros; dollars; yen; ounces; cups; acres; square metres; bytes;
        megabytes; knots; feet; tons
        """),
    "style": _list("""
        a poem; French; capital letters; one word; a list; a table; rhymes; slang; Shakespearean English;
        bullet points; two sentences; four sentences; a single sentence; one paragraph; ten words; pirate
        speak; passive voice; the past tense; German; Spanish; Japanese; a formal tone; a rude tone; a joke;
        five sentences; JSON; HTML; a diagram; emojis; a tweet
        """),
    "it": _list("""
        this; it; this text; the text; this email; this code; these notes; this paragraph; the text above;
        this article; this report; this function; this letter; this document; the following; that; the whole
        thing; my text; the above
        """),
    "pasted": _list("""
        the article; this report; the contract; these paragraphs; this story; the interview; the log; this
        document; the text; the minutes; this chapter; the letter; the passage; the file; this module; the
        source code; the review; this page
        """),
}
