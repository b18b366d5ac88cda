"""A synthetic lender: files that look like a real one's, and borrowers that answer.

Belongs here: everything that *pretends to be the outside world* (people, loans, bureaus,
account aggregators, message providers), and the two commands that let it act: writing the
landing files of a history, and answering the messages of an outbox.

Does not belong here: anything that reads the platform's tables or imports its code. The only
bridge between the two is files, in the formats a real lender and real providers would use, so
that replacing this room by a real lender changes nothing on the other side.

Every person, phone number, address and identity number made here is fictitious by construction
(see :mod:`simulator.people`).
"""
