<%! static int visits = 0; %>visits <%= ++visits %>
