import unittest

from plugins.filter.endpoints import endpoints


class Endpoints(unittest.TestCase):
    def test_services_over_the_network(self):
        addresses = [
            'postgresql://map-app@db.example/map-app',
            'https://geocoder.example/search?key=1',
            'http://[fd00::1]:8080/{city}.jpg',
            'smtp://user:p%40ss@127.0.0.1:2525',
            'smtps://mail.example',
        ]
        expected = [('db.example', 5432), ('geocoder.example', 443), ('fd00::1', 8080), ('127.0.0.1', 2525), ('mail.example', 465)]
        self.assertEqual(endpoints(addresses), [{'host': host, 'port': port} for host, port in expected])

    def test_no_endpoint(self):
        self.assertEqual(endpoints(['', 'postgresql:///map-app?host=/run/postgresql']), [])

    def test_a_host_in_the_query(self):
        self.assertEqual(endpoints(['postgresql:///map-app?host=db.example']), [{'host': 'db.example', 'port': 5432}])

    def test_a_password_with_a_slash_is_left_to_the_api(self):
        self.assertEqual(endpoints(['smtps://user:pass/word@mail.example.org', 'https://maps.example.org']), [{'host': 'maps.example.org', 'port': 443}])

    def test_no_password(self):
        self.assertNotIn('secret', str(endpoints(['smtp://user:secret@mail.example'])))


if __name__ == '__main__':
    unittest.main()
