site == = "a" // expect syntax:9
