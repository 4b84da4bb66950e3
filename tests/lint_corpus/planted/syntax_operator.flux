x = 1 +* 2 // expect syntax:8
