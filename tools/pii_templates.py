"""Sentences to put made-up personal data into. {KIND} is a place for a value, \\n a new line."""

TEXT = """\
My name is {PERSON}.
I am {PERSON} and I live at {STREET_ADDRESS}, {GPE}.
This is {PERSON} calling from {GPE}.
You can reach me at {EMAIL_ADDRESS}.
Please write to {EMAIL_ADDRESS} or call {PHONE_NUMBER}.
My number is {PHONE_NUMBER}
call me at {PHONE_NUMBER} after {DATE_TIME}
The card is {CREDIT_CARD}.
card number {CREDIT_CARD}
I paid with {CREDIT_CARD} on {DATE_TIME}.
My IBAN is {IBAN_CODE}.
send it to {IBAN_CODE}
Transfer it to {PERSON}, {IBAN_CODE}.
my social is {US_SSN}
SSN {US_SSN}, driver's license {US_DRIVER_LICENSE}
The login came from {IP_ADDRESS}.
Somebody at {IP_ADDRESS} opened {DOMAIN_NAME}.
I saw it on {DOMAIN_NAME}
{PERSON} works for {ORGANIZATION} in {GPE}.
I have an account with {ORGANIZATION}.
{ORGANIZATION} has not paid {PERSON} since {DATE_TIME}.
She left {ORGANIZATION} for {ORGANIZATION}.
{TITLE} {PERSON} will see you on {DATE_TIME}.
I am {AGE} years old.
My mother is {AGE}, her name is {PERSON}.
{PERSON}, {AGE}, from {GPE}
We are {NRP} and travel to {GPE}.
Do you have {NRP} food?
Ship it to {STREET_ADDRESS}, {ZIP_CODE} {GPE}.
{PERSON}
{STREET_ADDRESS}
{GPE} {ZIP_CODE}
Dear {TITLE} {PERSON}, your order from {ORGANIZATION} arrives {DATE_TIME}.
{PERSON} and {PERSON} met in {GPE}.
Has {PERSON} left {ORGANIZATION}?
I was born on {DATE_TIME} in {GPE}.
The meeting with {PERSON} is at {ORGANIZATION}, {STREET_ADDRESS}.
Contact: {PERSON}, {EMAIL_ADDRESS}, {PHONE_NUMBER}
Did {PERSON} call?
Where is {GPE}?
In {DATE_TIME} she moved to {GPE}.
Tell {PERSON} that I will be late.
To: {PERSON}\\n{STREET_ADDRESS}\\n{GPE}
Name: {PERSON}\\nCompany: {ORGANIZATION}\\nAddress: {STREET_ADDRESS}\\nPhone: {PHONE_NUMBER}
Sent from {GPE} by {PERSON}, {TITLE} at {ORGANIZATION}
{PERSON}: are you there?\\n{PERSON}: yes, and so is {PERSON}
{PERSON} ({EMAIL_ADDRESS})
My zip is {ZIP_CODE}, the street is {STREET_ADDRESS}
We want to meet at {STREET_ADDRESS} on {DATE_TIME}.
Is {STREET_ADDRESS} far from {STREET_ADDRESS}?
{ORGANIZATION} moved from {GPE} to {GPE}.
I bought it from {ORGANIZATION} last week.
The {NRP} branch of {ORGANIZATION} is at {STREET_ADDRESS}.
I will come tomorrow.
Is there anything else that I can do?
What a lovely day it was.
How long does it take?
Thank you very much for your help.
I paid 45 dollars for 3 of them.
It broke after 2 hours, and I want my money back.
Press 1 to go on.
The first one was better than the other 20.
No, I did not say that."""

TEMPLATES = [line.replace("\\n", "\n") for line in TEXT.split("\n")]
